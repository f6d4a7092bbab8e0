<?xml version="1.0" encoding="UTF-8"?>
<!-- Our answer to an order as ORR^O02 instead of a bare ACK: what stands here is added to MSH and MSA. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:template match="/Response">
    <HL7>
      <MSH><MSH.9><MSH.9.1>ORR</MSH.9.1><MSH.9.2>O02</MSH.9.2></MSH.9></MSH>
      <ORC>
        <ORC.1><xsl:choose>
          <xsl:when test="Result/ResultCode != '0'">UA</xsl:when>
          <xsl:when test="g:request('Action') = 'CANCEL'">CR</xsl:when>
          <xsl:when test="g:request('Action') = 'UPDATE'">XR</xsl:when>
          <xsl:otherwise>OK</xsl:otherwise>
        </xsl:choose></ORC.1>
        <ORC.3><xsl:value-of select="AccessionNo"/></ORC.3>
        <ORC.4><xsl:value-of select="RequisitionNo"/></ORC.4>
        <ORC.5><xsl:if test="GatewayStatus = 'HELD'">HD</xsl:if></ORC.5>
      </ORC>
    </HL7>
  </xsl:template>
</xsl:stylesheet>

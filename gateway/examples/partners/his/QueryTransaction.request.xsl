<?xml version="1.0" encoding="UTF-8"?>
<!-- Asks for a charge or a refund by its number at the system that had sent it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <xsl:if test="not(ChargeNo or RefundNo)"><xsl:value-of select="g:fail('QueryBill only finds charges and refunds, by their numbers.')"/></xsl:if>
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <BillSys><xsl:value-of select="SourceSystem"/></BillSys>
        <BillSerial><xsl:value-of select="ChargeNo"/></BillSerial>
        <ReturnSerial><xsl:value-of select="RefundNo"/></ReturnSerial>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>

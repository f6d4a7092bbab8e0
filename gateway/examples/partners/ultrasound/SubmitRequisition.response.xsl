<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/xml">
    <Response>
      <RequisitionNo><xsl:value-of select="g:request('RequisitionNo')"/></RequisitionNo>
      <GatewayStatus>RELEASED</GatewayStatus>
      <AccessionNo><xsl:value-of select="jch"/></AccessionNo>
    </Response>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- The number of the examination stands in an attentionLine of the acknowledgement. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns:v="urn:hl7-org:v3" exclude-result-prefixes="g v">
  <xsl:template match="/v:MCCI_IN000002UV01">
    <Response>
      <RequisitionNo><xsl:value-of select="g:request('RequisitionNo')"/></RequisitionNo>
      <GatewayStatus>RELEASED</GatewayStatus>
      <AccessionNo><xsl:value-of select="v:attentionLine[v:keyWordText = '检查号']/v:value"/></AccessionNo>
    </Response>
  </xsl:template>
</xsl:stylesheet>

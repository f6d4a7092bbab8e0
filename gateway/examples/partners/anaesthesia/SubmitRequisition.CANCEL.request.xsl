<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns:o="http://oper.anes.example.com" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <o:cancelOperationApply>
      <messageId><xsl:value-of select="g:value('message_id')"/></messageId>
      <applyNo><xsl:value-of select="RequisitionNo"/></applyNo>
      <reason><xsl:value-of select="CancelReason"/></reason>
    </o:cancelOperationApply>
  </xsl:template>
</xsl:stylesheet>

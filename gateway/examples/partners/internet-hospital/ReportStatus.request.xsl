<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Json>
      <msgId><xsl:value-of select="g:value('message_id')"/></msgId>
      <orderNo><xsl:value-of select="RequisitionNo"/></orderNo>
      <event><xsl:value-of select="Event"/></event>
      <time><xsl:value-of select="g:date(OccurredAt, 'yyyy-MM-dd HH:mm:ss')"/></time>
    </Json>
  </xsl:template>
</xsl:stylesheet>

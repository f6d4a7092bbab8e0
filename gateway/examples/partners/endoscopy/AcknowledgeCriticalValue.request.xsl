<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <FEEDBACK>
      <CRITICAL_ID><xsl:value-of select="CriticalId"/></CRITICAL_ID>
      <FEEDBACK_ID><xsl:value-of select="AckId"/></FEEDBACK_ID>
      <FEEDBACK_TYPE><xsl:value-of select="AckType"/></FEEDBACK_TYPE>
      <FEEDBACK_USER><xsl:value-of select="ActorCode"/></FEEDBACK_USER>
      <FEEDBACK_TIME><xsl:value-of select="g:date(ActedAt, 'yyyy/MM/dd HH:mm:ss')"/></FEEDBACK_TIME>
      <FEEDBACK_TEXT><xsl:value-of select="Opinion"/></FEEDBACK_TEXT>
    </FEEDBACK>
  </xsl:template>
</xsl:stylesheet>

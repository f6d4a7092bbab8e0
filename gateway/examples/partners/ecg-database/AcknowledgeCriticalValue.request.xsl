<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Rows>
      <insert table="ECG_REPLY">
        <CRITICAL_ID><xsl:value-of select="CriticalId"/></CRITICAL_ID>
        <REPLY_ID><xsl:value-of select="AckId"/></REPLY_ID>
        <REPLY_TYPE><xsl:value-of select="AckType"/></REPLY_TYPE>
        <REPLY_TEXT><xsl:value-of select="Opinion"/></REPLY_TEXT>
        <REPLY_TIME><xsl:value-of select="ActedAt"/></REPLY_TIME>
      </insert>
    </Rows>
  </xsl:template>
</xsl:stylesheet>

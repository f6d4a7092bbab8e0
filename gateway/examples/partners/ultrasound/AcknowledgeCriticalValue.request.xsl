<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xml>
      <msgid><xsl:value-of select="g:value('message_id')"/></msgid>
      <wjzid><xsl:value-of select="CriticalId"/></wjzid>
      <qrid><xsl:value-of select="AckId"/></qrid>
      <qrlx><xsl:value-of select="AckType"/></qrlx>
      <qrr><xsl:value-of select="ActorName"/></qrr>
      <qrsj><xsl:value-of select="g:date(ActedAt, 'yyyy-MM-dd HH:mm:ss')"/></qrsj>
      <clyj><xsl:value-of select="Opinion"/></clyj>
    </xml>
  </xsl:template>
</xsl:stylesheet>

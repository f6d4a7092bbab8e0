<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <MessageID><xsl:value-of select="g:value('message_id')"/></MessageID>
      <CriticalID><xsl:value-of select="CriticalId"/></CriticalID>
      <ReplyID><xsl:value-of select="AckId"/></ReplyID>
      <Type><xsl:value-of select="AckType"/></Type>
      <Text><xsl:value-of select="Opinion"/></Text>
    </Request>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- The head of every message. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template name="header">
    <xsl:param name="service"/>
    <MessageHeader>
      <ServiceCode><xsl:value-of select="$service"/></ServiceCode>
      <MessageId><xsl:value-of select="g:value('message_id')"/></MessageId>
      <SourceOrg><xsl:value-of select="Header/HospitalCode"/></SourceOrg>
      <SendTime><xsl:value-of select="g:date(Header/SentAt, 'yyyy-MM-dd HH:mm:ss')"/></SendTime>
    </MessageHeader>
  </xsl:template>
</xsl:stylesheet>

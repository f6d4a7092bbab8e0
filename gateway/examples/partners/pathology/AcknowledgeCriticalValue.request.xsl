<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns="http://tempuri.org/" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <CriticalFeedBack>
      <CriticalNo><xsl:value-of select="CriticalId"/></CriticalNo>
      <FeedBackNo><xsl:value-of select="AckId"/></FeedBackNo>
      <Kind><xsl:value-of select="AckType"/></Kind>
      <Opinion><xsl:value-of select="Opinion"/></Opinion>
      <Doctor><xsl:value-of select="ActorName"/></Doctor>
    </CriticalFeedBack>
  </xsl:template>
</xsl:stylesheet>

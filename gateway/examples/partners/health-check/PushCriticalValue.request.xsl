<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <提醒>
      <消息号><xsl:value-of select="g:value('message_id')"/></消息号>
      <危急值编号><xsl:value-of select="CriticalId"/></危急值编号>
      <申请单号><xsl:value-of select="RequisitionNo"/></申请单号>
      <内容><xsl:value-of select="Content"/></内容>
    </提醒>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns:i="http://ws.hrp.example.com" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <i:addWorkload>
      <seqNo><xsl:value-of select="g:value('message_id')"/></seqNo>
      <billNo><xsl:value-of select="RequisitionNo"/></billNo>
      <kind>
        <xsl:choose>
          <xsl:when test="Event = 'REGISTER'">1</xsl:when>
          <xsl:when test="Event = 'EXAM_DONE'">2</xsl:when>
          <xsl:when test="Event = 'FINAL'">3</xsl:when>
          <xsl:when test="Event = 'CANCEL_REG'">9</xsl:when>
          <xsl:otherwise>0</xsl:otherwise>
        </xsl:choose>
      </kind>
      <deptCode><xsl:value-of select="Room"/></deptCode>
      <workTime><xsl:value-of select="OccurredAt"/></workTime>
    </i:addWorkload>
  </xsl:template>
</xsl:stylesheet>

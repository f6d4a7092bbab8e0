<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Json>
      <msgNo><xsl:value-of select="g:value('message_id')"/></msgNo>
      <applyNo><xsl:value-of select="RequisitionNo"/></applyNo>
      <state>
        <xsl:choose>
          <xsl:when test="Event = 'BOOK'">BOOKED</xsl:when>
          <xsl:when test="Event = 'REGISTER'">ARRIVED</xsl:when>
          <xsl:when test="Event = 'EXAM_DONE'">DONE</xsl:when>
          <xsl:when test="Event = 'UNBOOK' or Event = 'CANCEL_REG' or Event = 'REJECT' or Event = 'STOP'">LEFT</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:skip('nobody is called for a report')"/></xsl:otherwise>
        </xsl:choose>
      </state>
      <room><xsl:value-of select="Room"/></room>
      <doctor><xsl:value-of select="PerformerName"/></doctor>
      <time><xsl:value-of select="g:date(OccurredAt, 'yyyy-MM-dd HH:mm:ss')"/></time>
    </Json>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- Its states: 1 registered, 2 done, 0 registration taken back. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Row">
    <Request>
      <RequisitionNo><xsl:value-of select="APPLY_NO"/></RequisitionNo>
      <Event>
        <xsl:choose>
          <xsl:when test="STATE = '1'">REGISTER</xsl:when>
          <xsl:when test="STATE = '2'">EXAM_DONE</xsl:when>
          <xsl:when test="STATE = '0'">CANCEL_REG</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('STATE is none of 0, 1 and 2.')"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(EVENT_TIME)"/></OccurredAt>
      <xsl:if test="STATE = '0'"><Reason>取消登记</Reason></xsl:if>
    </Request>
  </xsl:template>
</xsl:stylesheet>

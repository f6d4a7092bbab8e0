<?xml version="1.0" encoding="UTF-8"?>
<!-- States are numbers; one that is not below needs a row in the code table status. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <RequisitionNo><xsl:value-of select="normalize-space(RequestID)"/></RequisitionNo>
      <Event>
        <xsl:variable name="state" select="normalize-space(State)"/>
        <xsl:choose>
          <xsl:when test="$state = '0'">CANCEL_REG</xsl:when>
          <xsl:when test="$state = '1'">REGISTER</xsl:when>
          <xsl:when test="$state = '2'">EXAM_DONE</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:code('status', $state)"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(Time)"/></OccurredAt>
      <AccessionNo><xsl:value-of select="normalize-space(ExamID)"/></AccessionNo>
      <Reason><xsl:value-of select="Reason"/></Reason>
    </Request>
  </xsl:template>
</xsl:stylesheet>

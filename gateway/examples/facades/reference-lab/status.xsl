<?xml version="1.0" encoding="UTF-8"?>
<!-- 10 received, 11 receipt withdrawn, 20 tested, 90 rejected; another needs a row in the code table status. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Input">
    <Request>
      <Header><MessageId><xsl:value-of select="normalize-space(MsgId)"/></MessageId></Header>
      <RequisitionNo><xsl:value-of select="normalize-space(HospOrderNo)"/></RequisitionNo>
      <Event>
        <xsl:variable name="state" select="normalize-space(State)"/>
        <xsl:choose>
          <xsl:when test="$state = '10'">REGISTER</xsl:when>
          <xsl:when test="$state = '11'">CANCEL_REG</xsl:when>
          <xsl:when test="$state = '20'">EXAM_DONE</xsl:when>
          <xsl:when test="$state = '90'">REJECT</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:code('status', $state)"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(Time)"/></OccurredAt>
      <AccessionNo><xsl:value-of select="normalize-space(LabNo)"/></AccessionNo>
      <Reason><xsl:value-of select="Remark"/></Reason>
    </Request>
  </xsl:template>
</xsl:stylesheet>

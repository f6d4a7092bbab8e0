<?xml version="1.0" encoding="UTF-8"?>
<!-- Its states: 1 booked, 2 registered, 3 done, 4 reported, 5 registration taken back, 6 booking taken back, 7 stopped or sent back. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <ApplyNo><xsl:value-of select="RequisitionNo"/></ApplyNo>
        <Status>
          <xsl:choose>
            <xsl:when test="Event = 'BOOK'">1</xsl:when>
            <xsl:when test="Event = 'REGISTER'">2</xsl:when>
            <xsl:when test="Event = 'EXAM_DONE' or Event = 'WITHDRAW'">3</xsl:when>
            <xsl:when test="Event = 'PRELIM' or Event = 'FINAL'">4</xsl:when>
            <xsl:when test="Event = 'CANCEL_REG'">5</xsl:when>
            <xsl:when test="Event = 'UNBOOK'">6</xsl:when>
            <xsl:when test="Event = 'STOP' or Event = 'REJECT'">7</xsl:when>
            <xsl:otherwise><xsl:value-of select="g:fail('HIS has no state for this event.')"/></xsl:otherwise>
          </xsl:choose>
        </Status>
        <OccurTime><xsl:value-of select="g:date(OccurredAt, 'yyyy-MM-dd HH:mm:ss')"/></OccurTime>
        <StudyNo><xsl:value-of select="AccessionNo"/></StudyNo>
        <OrdIds><xsl:value-of select="g:join(Items/Item/OrderNo, '^')"/></OrdIds>
        <Memo><xsl:value-of select="Reason"/></Memo>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>

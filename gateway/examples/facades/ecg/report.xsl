<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <ReportNo><xsl:value-of select="normalize-space(ReportID)"/></ReportNo>
      <ReportVersion><xsl:value-of select="normalize-space(Version)"/></ReportVersion>
      <Action>
        <xsl:variable name="state" select="normalize-space(State)"/>
        <xsl:choose>
          <xsl:when test="$state = '1'">FINAL</xsl:when>
          <xsl:when test="$state = '2'">PRELIM</xsl:when>
          <xsl:when test="$state = '3'">AMEND</xsl:when>
          <xsl:when test="$state = '9'">WITHDRAW</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('State of a report is 1, 2, 3 or 9.')"/></xsl:otherwise>
        </xsl:choose>
      </Action>
      <Requisitions><Requisition><RequisitionNo><xsl:value-of select="normalize-space(RequestID)"/></RequisitionNo></Requisition></Requisitions>
      <AccessionNo><xsl:value-of select="normalize-space(ExamID)"/></AccessionNo>
      <xsl:call-template name="patient"/>
      <ReportType>ECG</ReportType>
      <Findings><xsl:value-of select="See"/></Findings>
      <Impression><xsl:value-of select="Conclusion"/></Impression>
      <ReporterCode><xsl:value-of select="normalize-space(DoctorID)"/></ReporterCode>
      <ReporterName><xsl:value-of select="DoctorName"/></ReporterName>
      <ReportedAt><xsl:value-of select="g:iso(ReportTime)"/></ReportedAt>
      <AuditorCode><xsl:value-of select="normalize-space(AuditorID)"/></AuditorCode>
      <AuditorName><xsl:value-of select="AuditorName"/></AuditorName>
      <AuditedAt><xsl:value-of select="g:iso(AuditTime)"/></AuditedAt>
      <Modality>ECG</Modality>
      <ViewerUrl><xsl:value-of select="normalize-space(ViewUrl)"/></ViewerUrl>
      <WithdrawReason><xsl:value-of select="Reason"/></WithdrawReason>
    </Request>
  </xsl:template>
</xsl:stylesheet>

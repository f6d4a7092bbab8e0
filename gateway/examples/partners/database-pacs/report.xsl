<?xml version="1.0" encoding="UTF-8"?>
<!-- A report; a version above 1 amends the one before. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Row">
    <Request>
      <ReportNo><xsl:value-of select="REPORT_NO"/></ReportNo>
      <ReportVersion><xsl:value-of select="VERSION"/></ReportVersion>
      <Action>
        <xsl:choose>
          <xsl:when test="VERSION &gt; 1">AMEND</xsl:when>
          <xsl:otherwise>FINAL</xsl:otherwise>
        </xsl:choose>
      </Action>
      <Requisitions><Requisition><RequisitionNo><xsl:value-of select="REQUEST_NO"/></RequisitionNo></Requisition></Requisitions>
      <Patient>
        <PatientId><xsl:value-of select="PATIENT_ID"/></PatientId>
        <PatientName><xsl:value-of select="PATIENT_NAME"/></PatientName>
        <SexCode><xsl:value-of select="SEX"/></SexCode>
      </Patient>
      <ReportType>EXAM</ReportType>
      <Findings><xsl:value-of select="FINDINGS"/></Findings>
      <Impression><xsl:value-of select="IMPRESSION"/></Impression>
      <ReporterCode><xsl:value-of select="REPORTER_CODE"/></ReporterCode>
      <ReporterName><xsl:value-of select="REPORTER_NAME"/></ReporterName>
      <ReportedAt><xsl:value-of select="g:iso(REPORTED_AT)"/></ReportedAt>
      <AuditorCode><xsl:value-of select="AUDITOR_CODE"/></AuditorCode>
      <AuditorName><xsl:value-of select="AUDITOR_NAME"/></AuditorName>
      <AuditedAt><xsl:value-of select="g:iso(AUDITED_AT)"/></AuditedAt>
    </Request>
  </xsl:template>
</xsl:stylesheet>

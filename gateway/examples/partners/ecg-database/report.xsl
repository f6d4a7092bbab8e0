<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Row">
    <Request>
      <ReportNo><xsl:value-of select="REPORT_NO"/></ReportNo>
      <ReportVersion>1</ReportVersion>
      <Action>FINAL</Action>
      <Requisitions><Requisition><RequisitionNo><xsl:value-of select="APPLY_NO"/></RequisitionNo></Requisition></Requisitions>
      <Patient>
        <PatientId><xsl:value-of select="PATIENT_ID"/></PatientId>
        <PatientName><xsl:value-of select="PATIENT_NAME"/></PatientName>
        <SexCode><xsl:value-of select="SEX"/></SexCode>
      </Patient>
      <ReportType>ECG</ReportType>
      <Findings><xsl:value-of select="SEE"/></Findings>
      <Impression><xsl:value-of select="CONCLUSION"/></Impression>
      <ReporterCode>ECG</ReporterCode>
      <ReporterName>心电图室</ReporterName>
      <ReportedAt><xsl:value-of select="g:iso(REPORT_TIME)"/></ReportedAt>
      <AuditorCode>ECG</AuditorCode>
      <AuditorName>心电图室</AuditorName>
      <AuditedAt><xsl:value-of select="g:iso(REPORT_TIME)"/></AuditedAt>
    </Request>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- State: 0 preliminary, 1 final, 2 amended, 9 withdrawn. The name of the patient comes back masked, as it went out. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Input">
    <Request>
      <Header><MessageId><xsl:value-of select="normalize-space(MsgId)"/></MessageId></Header>
      <ReportNo><xsl:value-of select="normalize-space(ReportNo)"/></ReportNo>
      <ReportVersion><xsl:value-of select="normalize-space(Version)"/></ReportVersion>
      <Action>
        <xsl:variable name="state" select="normalize-space(State)"/>
        <xsl:choose>
          <xsl:when test="$state = '0'">PRELIM</xsl:when>
          <xsl:when test="$state = '1'">FINAL</xsl:when>
          <xsl:when test="$state = '2'">AMEND</xsl:when>
          <xsl:when test="$state = '9'">WITHDRAW</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('State of a report is 0, 1, 2 or 9.')"/></xsl:otherwise>
        </xsl:choose>
      </Action>
      <Requisitions><Requisition><RequisitionNo><xsl:value-of select="normalize-space(HospOrderNo)"/></RequisitionNo></Requisition></Requisitions>
      <AccessionNo><xsl:value-of select="normalize-space(LabNo)"/></AccessionNo>
      <Patient>
        <PatientId><xsl:value-of select="normalize-space(Patient/Id)"/></PatientId>
        <PatientName><xsl:value-of select="Patient/Name"/></PatientName>
        <SexCode><xsl:value-of select="normalize-space(Patient/Sex)"/></SexCode>
      </Patient>
      <ReportType>LAB</ReportType>
      <ReporterCode><xsl:value-of select="normalize-space(TesterNo)"/></ReporterCode>
      <ReporterName><xsl:value-of select="Tester"/></ReporterName>
      <ReportedAt><xsl:value-of select="g:iso(TestTime)"/></ReportedAt>
      <AuditorCode><xsl:value-of select="normalize-space(CheckerNo)"/></AuditorCode>
      <AuditorName><xsl:value-of select="Checker"/></AuditorName>
      <AuditedAt><xsl:value-of select="g:iso(CheckTime)"/></AuditedAt>
      <Results>
        <xsl:for-each select="Tests/Test">
          <Result>
            <ItemCode><xsl:value-of select="g:code('item', LabCode)"/></ItemCode>
            <ItemName><xsl:value-of select="LabName"/></ItemName>
            <ValueText><xsl:value-of select="Result"/></ValueText>
            <Unit><xsl:value-of select="Unit"/></Unit>
            <RefRange><xsl:value-of select="Range"/></RefRange>
          </Result>
        </xsl:for-each>
      </Results>
      <WithdrawReason><xsl:value-of select="Remark"/></WithdrawReason>
    </Request>
  </xsl:template>
</xsl:stylesheet>

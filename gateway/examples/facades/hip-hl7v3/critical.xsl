<?xml version="1.0" encoding="UTF-8"?>
<!-- A critical value. No part of WS/T 846 has them: this message is in the same dress, as the opinion that goes back is. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>

  <xsl:template match="/*">
    <xsl:variable name="value" select="(//criticalValue)[1]"/>
    <xsl:variable name="state" select="normalize-space($value/statusCode/@code)"/>
    <xsl:variable name="author" select="$value/author[1]"/>
    <xsl:if test="not($value)"><xsl:value-of select="g:fail('There is no criticalValue.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <CriticalId><xsl:call-template name="extension"><xsl:with-param name="of" select="$value"/></xsl:call-template></CriticalId>
      <Action>
        <xsl:choose>
          <xsl:when test="$state = 'nullified' or $state = 'cancelled' or $state = 'aborted'">CANCEL</xsl:when>
          <xsl:when test="g:value('function') = 'CriticalValueUpdate'">UPDATE</xsl:when>
          <xsl:otherwise>NEW</xsl:otherwise>
        </xsl:choose>
      </Action>
      <SourceType><xsl:value-of select="normalize-space($value/code/@code)"/></SourceType>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <xsl:variable name="patient" select="(//patient)[1]"/>
      <Patient>
        <PatientId><xsl:call-template name="extension"><xsl:with-param name="of" select="$patient"/><xsl:with-param name="root" select="'2.16.156.10011.2.5.1.5'"/></xsl:call-template></PatientId>
        <PatientName><xsl:call-template name="name"><xsl:with-param name="of" select="$patient/patientPerson"/></xsl:call-template></PatientName>
        <SexCode><xsl:value-of select="normalize-space($patient/patientPerson/administrativeGenderCode/@code)"/></SexCode>
      </Patient>
      <Content><xsl:value-of select="$value/text[not(@value)] | $value/text/@value"/></Content>
      <FoundAt><xsl:value-of select="g:iso($value/effectiveTime/@value)"/></FoundAt>
      <ReportedAt><xsl:value-of select="g:iso(($author/time/@value | $value/effectiveTime/@value)[1])"/></ReportedAt>
      <ReporterCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$author/assignedEntity"/></xsl:call-template></ReporterCode>
      <ReporterName><xsl:call-template name="name"><xsl:with-param name="of" select="$author/assignedEntity/assignedPerson"/></xsl:call-template></ReporterName>
    </Request>
  </xsl:template>
</xsl:stylesheet>

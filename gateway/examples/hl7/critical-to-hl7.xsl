<?xml version="1.0" encoding="UTF-8"?>
<!-- PushCriticalValue to ORU^R01: an OBX for each value, its flag critical. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:variable name="status"><xsl:choose>
    <xsl:when test="/Request/Action = 'CANCEL'">X</xsl:when>
    <xsl:when test="/Request/Action = 'UPDATE'">C</xsl:when>
    <xsl:otherwise>F</xsl:otherwise>
  </xsl:choose></xsl:variable>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'ORU^R01'"/></xsl:call-template>
      <xsl:call-template name="pid"/>
      <xsl:call-template name="pv1"/>
      <ORC><ORC.1>RE</ORC.1><ORC.3><xsl:value-of select="StudyNo"/></ORC.3><ORC.4><xsl:value-of select="RequisitionNo"/></ORC.4></ORC>
      <OBR>
        <OBR.1>1</OBR.1>
        <xsl:for-each select="Orders/Order"><OBR.2><xsl:value-of select="OrderNo"/></OBR.2></xsl:for-each>
        <OBR.3><xsl:value-of select="StudyNo"/></OBR.3>
        <OBR.15><OBR.15.1><OBR.15.1.2><xsl:value-of select="SpecimenName"/></OBR.15.1.2></OBR.15.1></OBR.15>
        <xsl:for-each select="TargetDoctors/Doctor"><OBR.16><OBR.16.1><xsl:value-of select="Code"/></OBR.16.1><OBR.16.2><xsl:value-of select="Name"/></OBR.16.2></OBR.16></xsl:for-each>
        <OBR.17><xsl:value-of select="ReporterPhone"/></OBR.17>
        <OBR.20><xsl:value-of select="ReportNo"/></OBR.20>
        <OBR.22><xsl:value-of select="g:date(FoundAt, 'yyyyMMddHHmmss')"/></OBR.22>
        <OBR.24><xsl:choose>
          <xsl:when test="SourceType = '1'">LAB</xsl:when>
          <xsl:when test="SourceType = '2'">SP</xsl:when>
          <xsl:when test="SourceType = '3'">EC</xsl:when>
          <xsl:when test="SourceType = '4'">US</xsl:when>
          <xsl:when test="SourceType = '5'">ENDO</xsl:when>
          <xsl:when test="SourceType = '6'">RAD</xsl:when>
          <xsl:when test="SourceType = '7'">POC</xsl:when>
        </xsl:choose></OBR.24>
        <OBR.25><xsl:value-of select="$status"/></OBR.25>
        <OBR.32><OBR.32.1><OBR.32.1.1><xsl:value-of select="ReporterCode"/></OBR.32.1.1><OBR.32.1.2><xsl:value-of select="ReporterName"/></OBR.32.1.2></OBR.32.1></OBR.32>
      </OBR>
      <xsl:for-each select="Details/Detail">
        <OBX>
          <OBX.1><xsl:value-of select="position()"/></OBX.1>
          <OBX.2>ST</OBX.2>
          <OBX.3><OBX.3.1><xsl:value-of select="ItemCode"/></OBX.3.1><OBX.3.2><xsl:value-of select="ItemName"/></OBX.3.2><OBX.3.3>L</OBX.3.3></OBX.3>
          <OBX.5><xsl:value-of select="Value"/></OBX.5>
          <OBX.6><xsl:value-of select="Unit"/></OBX.6>
          <OBX.7><xsl:value-of select="RefRange"/></OBX.7>
          <OBX.8><xsl:choose><xsl:when test="Flag != ''"><xsl:value-of select="Flag"/></xsl:when><xsl:otherwise>AA</xsl:otherwise></xsl:choose></OBX.8>
          <OBX.11><xsl:value-of select="$status"/></OBX.11>
          <OBX.14><xsl:value-of select="g:date(/Request/FoundAt, 'yyyyMMddHHmmss')"/></OBX.14>
        </OBX>
        <xsl:if test="CriticalRule != ''"><NTE><NTE.3><xsl:value-of select="CriticalRule"/></NTE.3></NTE></xsl:if>
      </xsl:for-each>
      <xsl:if test="Barcode != ''"><SPM><SPM.1>1</SPM.1><SPM.2><xsl:value-of select="Barcode"/></SPM.2></SPM></xsl:if>
      <xsl:call-template name="age"/>
      <!-- What HL7 has no field for, and what has one but may differ from the patient's own. -->
      <xsl:for-each select="CriticalId | Level | Content | ConfirmedAt | ReportedAt | ReceiveDeadline | HandleDeadline | CollectedAt | TargetDeptCode | TargetWardCode | Explanation | Warning | OverdueStage | OverdueSince | EscalationLevel">
        <xsl:call-template name="own-field"><xsl:with-param name="name" select="name()"/><xsl:with-param name="value" select="."/></xsl:call-template>
      </xsl:for-each>
    </HL7>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- SubmitReport to ORU^R01. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:variable name="status"><xsl:choose>
    <xsl:when test="/Request/Action = 'PRELIM'">P</xsl:when>
    <xsl:when test="/Request/Action = 'AMEND'">C</xsl:when>
    <xsl:when test="/Request/Action = 'WITHDRAW'">X</xsl:when>
    <xsl:otherwise>F</xsl:otherwise>
  </xsl:choose></xsl:variable>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'ORU^R01'"/></xsl:call-template>
      <xsl:call-template name="pid"/>
      <xsl:call-template name="pv1"/>
      <xsl:for-each select="Requisitions/Requisition">
        <ORC><ORC.1>RE</ORC.1><ORC.3><xsl:value-of select="/Request/StudyNo"/></ORC.3><ORC.4><xsl:value-of select="RequisitionNo"/></ORC.4></ORC>
      </xsl:for-each>
      <OBR>
        <OBR.1>1</OBR.1>
        <xsl:for-each select="Orders/Order"><OBR.2><xsl:value-of select="OrderNo"/></OBR.2></xsl:for-each>
        <OBR.3><xsl:value-of select="StudyNo"/></OBR.3>
        <OBR.7><xsl:value-of select="g:date(ExamAt, 'yyyyMMddHHmmss')"/></OBR.7>
        <OBR.18><xsl:value-of select="AccessionNo"/></OBR.18>
        <OBR.20><OBR.20.1><xsl:value-of select="ReportNo"/></OBR.20.1><OBR.20.2><xsl:value-of select="ReportVersion"/></OBR.20.2></OBR.20>
        <OBR.22><xsl:choose>
          <xsl:when test="AuditedAt != ''"><xsl:value-of select="g:date(AuditedAt, 'yyyyMMddHHmmss')"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="g:date(ReportedAt, 'yyyyMMddHHmmss')"/></xsl:otherwise>
        </xsl:choose></OBR.22>
        <OBR.24><xsl:value-of select="ReportType"/></OBR.24>
        <OBR.25><xsl:value-of select="$status"/></OBR.25>
        <OBR.32>
          <OBR.32.1><OBR.32.1.1><xsl:value-of select="ReporterCode"/></OBR.32.1.1><OBR.32.1.2><xsl:value-of select="ReporterName"/></OBR.32.1.2></OBR.32.1>
          <OBR.32.2><xsl:value-of select="g:date(ReportedAt, 'yyyyMMddHHmmss')"/></OBR.32.2>
        </OBR.32>
        <xsl:if test="AuditorCode != '' or AuditorName != ''">
          <OBR.33>
            <OBR.33.1><OBR.33.1.1><xsl:value-of select="AuditorCode"/></OBR.33.1.1><OBR.33.1.2><xsl:value-of select="AuditorName"/></OBR.33.1.2></OBR.33.1>
            <OBR.33.2><xsl:value-of select="g:date(AuditedAt, 'yyyyMMddHHmmss')"/></OBR.33.2>
          </OBR.33>
        </xsl:if>
      </OBR>
      <xsl:call-template name="text"><xsl:with-param name="kind" select="'GDT'"/><xsl:with-param name="name" select="'所见'"/><xsl:with-param name="text" select="Findings"/></xsl:call-template>
      <xsl:call-template name="text"><xsl:with-param name="kind" select="'IMP'"/><xsl:with-param name="name" select="'诊断'"/><xsl:with-param name="text" select="Impression"/></xsl:call-template>
      <xsl:apply-templates select="Results/Result"/>
      <xsl:call-template name="dicom"><xsl:with-param name="code" select="'113014'"/><xsl:with-param name="name" select="'Study Instance UID'"/><xsl:with-param name="value" select="StudyInstanceUid"/></xsl:call-template>
      <xsl:call-template name="dicom"><xsl:with-param name="code" select="'121139'"/><xsl:with-param name="name" select="'Modality'"/><xsl:with-param name="value" select="Modality"/></xsl:call-template>
      <xsl:if test="ViewerUrl != ''">
        <OBX><OBX.2>RP</OBX.2><OBX.3><OBX.3.1>VIEWER</OBX.3.1></OBX.3><OBX.5><OBX.5.1><xsl:value-of select="ViewerUrl"/></OBX.5.1><OBX.5.4>HTML</OBX.5.4></OBX.5><OBX.11><xsl:value-of select="$status"/></OBX.11></OBX>
      </xsl:if>
      <xsl:for-each select="KeyImages/KeyImage">
        <OBX>
          <OBX.2>ED</OBX.2>
          <OBX.3><OBX.3.1>IMAGE</OBX.3.1><OBX.3.2><xsl:value-of select="Caption"/></OBX.3.2></OBX.3>
          <OBX.4><xsl:value-of select="SopInstanceUid"/></OBX.4>
          <OBX.5><OBX.5.2>IM</OBX.5.2><OBX.5.3>JPEG</OBX.5.3><OBX.5.4>Base64</OBX.5.4><OBX.5.5><xsl:value-of select="Content"/></OBX.5.5></OBX.5>
          <OBX.11><xsl:value-of select="$status"/></OBX.11>
        </OBX>
      </xsl:for-each>
      <xsl:apply-templates select="ReportFiles/ReportFile"/>
      <xsl:call-template name="age"/>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'Positive'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'Critical'"/></xsl:call-template>
      <xsl:for-each select="Criticals/Critical"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'CriticalId'"/></xsl:call-template></xsl:for-each>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'DelayReason'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'SeriesCount'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ImageCount'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'SignatureValue'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'CertificateSerial'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'WithdrawReason'"/></xsl:call-template>
    </HL7>
  </xsl:template>

  <xsl:template name="text">
    <xsl:param name="kind"/>
    <xsl:param name="name"/>
    <xsl:param name="text"/>
    <xsl:if test="$text != ''">
      <OBX>
        <OBX.2>FT</OBX.2>
        <OBX.3><OBX.3.1><OBX.3.1.2><xsl:value-of select="$kind"/></OBX.3.1.2></OBX.3.1><OBX.3.2><xsl:value-of select="$name"/></OBX.3.2></OBX.3>
        <OBX.5><xsl:value-of select="$text"/></OBX.5>
        <OBX.11><xsl:value-of select="$status"/></OBX.11>
        <OBX.18><xsl:value-of select="/Request/DeviceCode"/></OBX.18>
      </OBX>
    </xsl:if>
  </xsl:template>

  <xsl:template name="dicom">
    <xsl:param name="code"/>
    <xsl:param name="name"/>
    <xsl:param name="value"/>
    <xsl:if test="$value != ''">
      <OBX>
        <OBX.2>ST</OBX.2>
        <OBX.3><OBX.3.1><xsl:value-of select="$code"/></OBX.3.1><OBX.3.2><xsl:value-of select="$name"/></OBX.3.2><OBX.3.3>DCM</OBX.3.3></OBX.3>
        <OBX.5><xsl:value-of select="$value"/></OBX.5>
        <OBX.11><xsl:value-of select="$status"/></OBX.11>
      </OBX>
    </xsl:if>
  </xsl:template>

  <xsl:template match="Result">
    <xsl:variable name="sub" select="position()"/>
    <xsl:variable name="is-number" select="ValueNum != '' and (not(ValueText) or ValueText = '' or ValueText = ValueNum)"/>
    <OBX>
      <OBX.1><xsl:value-of select="$sub"/></OBX.1>
      <OBX.2><xsl:choose><xsl:when test="$is-number">NM</xsl:when><xsl:otherwise>ST</xsl:otherwise></xsl:choose></OBX.2>
      <OBX.3>
        <OBX.3.1><xsl:value-of select="ItemCode"/></OBX.3.1>
        <OBX.3.2><xsl:value-of select="ItemName"/></OBX.3.2>
        <OBX.3.3>L</OBX.3.3>
        <xsl:if test="LoincCode != ''"><OBX.3.4><xsl:value-of select="LoincCode"/></OBX.3.4><OBX.3.6>LN</OBX.3.6></xsl:if>
      </OBX.3>
      <OBX.4><xsl:value-of select="$sub"/></OBX.4>
      <OBX.5><xsl:choose><xsl:when test="$is-number"><xsl:value-of select="ValueNum"/></xsl:when><xsl:otherwise><xsl:value-of select="ValueText"/></xsl:otherwise></xsl:choose></OBX.5>
      <OBX.6><xsl:value-of select="Unit"/></OBX.6>
      <OBX.7><xsl:value-of select="RefRange"/></OBX.7>
      <OBX.8><xsl:value-of select="AbnormalFlag"/></OBX.8>
      <OBX.11><xsl:value-of select="$status"/></OBX.11>
      <OBX.18><xsl:value-of select="/Request/DeviceCode"/></OBX.18>
    </OBX>
    <xsl:if test="OrganismCode != '' or OrganismName != ''">
      <OBX>
        <OBX.2>CE</OBX.2>
        <OBX.3><OBX.3.1><OBX.3.1.2>ORG</OBX.3.1.2></OBX.3.1></OBX.3>
        <OBX.4><xsl:value-of select="$sub"/></OBX.4>
        <OBX.5><OBX.5.1><xsl:value-of select="OrganismCode"/></OBX.5.1><OBX.5.2><xsl:value-of select="OrganismName"/></OBX.5.2></OBX.5>
        <OBX.11><xsl:value-of select="$status"/></OBX.11>
      </OBX>
    </xsl:if>
    <xsl:for-each select="Antibiotics/Antibiotic">
      <OBX>
        <OBX.2>ST</OBX.2>
        <OBX.3><OBX.3.1><xsl:value-of select="Code"/></OBX.3.1><OBX.3.2><xsl:value-of select="Name"/></OBX.3.2><OBX.3.3>L</OBX.3.3></OBX.3>
        <OBX.4><xsl:value-of select="concat($sub, '.', position())"/></OBX.4>
        <OBX.5><xsl:value-of select="ValueText"/></OBX.5>
        <OBX.8><xsl:value-of select="Result"/></OBX.8>
        <OBX.11><xsl:value-of select="$status"/></OBX.11>
      </OBX>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="ReportFile">
    <xsl:variable name="kind"><xsl:choose>
      <xsl:when test="Format = 'JPG'">JPEG</xsl:when>
      <xsl:when test="Format = 'CDA'">x-hl7-cda-level-one</xsl:when>
      <xsl:otherwise><xsl:value-of select="Format"/></xsl:otherwise>
    </xsl:choose></xsl:variable>
    <OBX>
      <OBX.2><xsl:choose><xsl:when test="Url != ''">RP</xsl:when><xsl:otherwise>ED</xsl:otherwise></xsl:choose></OBX.2>
      <OBX.3><OBX.3.1>FILE</OBX.3.1></OBX.3>
      <OBX.4><xsl:value-of select="Sha256"/></OBX.4>
      <xsl:choose>
        <xsl:when test="Url != ''"><OBX.5><OBX.5.1><xsl:value-of select="Url"/></OBX.5.1><OBX.5.3>AP</OBX.5.3><OBX.5.4><xsl:value-of select="$kind"/></OBX.5.4></OBX.5></xsl:when>
        <xsl:otherwise><OBX.5><OBX.5.2>AP</OBX.5.2><OBX.5.3><xsl:value-of select="$kind"/></OBX.5.3><OBX.5.4>Base64</OBX.5.4><OBX.5.5><xsl:value-of select="Content"/></OBX.5.5></OBX.5></xsl:otherwise>
      </xsl:choose>
      <OBX.11><xsl:value-of select="$status"/></OBX.11>
    </OBX>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- ORU^R01 to SubmitReport: one report, for one or several orders. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <!-- Rows that say themselves that they are deleted or wrong are none. -->
  <xsl:variable name="rows" select="/HL7/OBX[not(OBX.11/OBX.11.1 = 'D' or OBX.11/OBX.11.1 = 'W') and not(OBX.3/OBX.3.3 = '99HG')]"/>
  <xsl:variable name="findings" select="$rows[OBX.3/OBX.3.1/OBX.3.1.2 = 'GDT' or OBX.3/OBX.3.1 = 'GDT' or OBX.3/OBX.3.1 = 'FINDINGS' or OBX.3/OBX.3.1 = '59776-5']"/>
  <xsl:variable name="impression" select="$rows[OBX.3/OBX.3.1/OBX.3.1.2 = 'IMP' or OBX.3/OBX.3.1 = 'IMP' or OBX.3/OBX.3.1 = 'IMPRESSION' or OBX.3/OBX.3.1 = '19005-8']"/>
  <xsl:variable name="pictures" select="$rows[OBX.2/OBX.2.1 = 'ED' or OBX.2/OBX.2.1 = 'RP']"/>
  <xsl:variable name="documents" select="$pictures[(OBX.2/OBX.2.1 = 'ED' and not(OBX.5/OBX.5.3 = 'JPEG' or OBX.5/OBX.5.3 = 'JPG')) or (OBX.2/OBX.2.1 = 'RP' and contains(' PDF JPEG JPG XML x-hl7-cda-level-one ', concat(' ', OBX.5/OBX.5.4, ' ')))]"/>
  <xsl:variable name="dicom" select="$rows[OBX.3/OBX.3.3 = 'DCM']"/>
  <xsl:variable name="organisms" select="$rows[OBX.3/OBX.3.1/OBX.3.1.2 = 'ORG']"/>
  <xsl:variable name="antibiotics" select="$rows[contains(OBX.4/OBX.4.1, '.') and contains('SIR', OBX.8/OBX.8.1) and string-length(OBX.8/OBX.8.1) &lt; 2]"/>
  <xsl:variable name="results" select="$rows[count(. | $findings | $impression | $pictures | $dicom | $organisms | $antibiotics) > count($findings | $impression | $pictures | $dicom | $organisms | $antibiotics)]"/>

  <xsl:template match="/HL7">
    <xsl:variable name="obr" select="OBR[1]"/>
    <xsl:variable name="status" select="$obr/OBR.25/OBR.25.1"/>
    <xsl:variable name="changed"><xsl:call-template name="first-time"><xsl:with-param name="times" select="$obr/OBR.22/OBR.22.1"/></xsl:call-template></xsl:variable>
    <Request>
      <xsl:call-template name="header"/>
      <ReportNo><xsl:value-of select="($obr/OBR.20/OBR.20.1 | $obr/OBR.3[not(../OBR.20)]/OBR.3.1)[1]"/></ReportNo>
      <ReportVersion>
        <xsl:choose>
          <xsl:when test="$obr/OBR.20/OBR.20.2 != ''"><xsl:value-of select="$obr/OBR.20/OBR.20.2"/></xsl:when>
          <!-- Nobody counts: the second in which it changed rises as a version has to. -->
          <xsl:otherwise>
            <xsl:value-of select="((g:date($changed, 'yyyy') - 2020) * 372 + (g:date($changed, 'MM') - 1) * 31 + g:date($changed, 'dd') - 1) * 86400 + g:date($changed, 'HH') * 3600 + g:date($changed, 'mm') * 60 + g:date($changed, 'ss')"/>
          </xsl:otherwise>
        </xsl:choose>
      </ReportVersion>
      <Action>
        <xsl:choose>
          <xsl:when test="$status = 'F'">FINAL</xsl:when>
          <xsl:when test="$status = 'C'">AMEND</xsl:when>
          <xsl:when test="$status = 'X'">WITHDRAW</xsl:when>
          <xsl:when test="$status = 'P' or $status = 'A' or $status = 'R'">PRELIM</xsl:when>
          <xsl:when test="$status != ''"><xsl:value-of select="g:fail('OBR-25 is none of P, A, R, F, C and X.')"/></xsl:when>
          <xsl:when test="$rows/OBX.11/OBX.11.1 = 'C'">AMEND</xsl:when>
          <xsl:when test="$rows/OBX.11/OBX.11.1 = 'P' or $rows/OBX.11/OBX.11.1 = 'R'">PRELIM</xsl:when>
          <xsl:when test="$rows/OBX.11/OBX.11.1 = 'F'">FINAL</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('Neither OBR-25 nor OBX-11 says whether the report is final.')"/></xsl:otherwise>
        </xsl:choose>
      </Action>
      <xsl:call-template name="orders"/>
      <AccessionNo><xsl:value-of select="$obr/OBR.18/OBR.18.1"/></AccessionNo>
      <StudyNo><xsl:value-of select="$obr/OBR.3/OBR.3.1"/></StudyNo>
      <xsl:call-template name="patient"/>
      <xsl:if test="PV1"><xsl:call-template name="visit"/></xsl:if>
      <ReportType>
        <xsl:variable name="type"><xsl:call-template name="requisition-type"/></xsl:variable>
        <xsl:choose>
          <xsl:when test="$type = 'LAB' or $type = 'PATH' or $type = 'ECG'"><xsl:value-of select="$type"/></xsl:when>
          <xsl:when test="$type = 'BLOOD'">LAB</xsl:when>
          <xsl:otherwise>EXAM</xsl:otherwise>
        </xsl:choose>
      </ReportType>
      <Findings><xsl:call-template name="texts"><xsl:with-param name="rows" select="$findings"/></xsl:call-template></Findings>
      <Impression><xsl:call-template name="texts"><xsl:with-param name="rows" select="$impression"/></xsl:call-template></Impression>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'Positive'"/></xsl:call-template>
      <ReporterCode><xsl:value-of select="($obr/OBR.32/OBR.32.1/descendant-or-self::*[not(*)][1] | $rows[not($obr/OBR.32)]/OBX.16[1]/OBX.16.1)[1]"/></ReporterCode>
      <ReporterName><xsl:value-of select="($obr/OBR.32/OBR.32.1/OBR.32.1.2 | $obr/OBR.32[not(OBR.32.1/OBR.32.1.2)]/OBR.32.2 | $rows[not($obr/OBR.32)]/OBX.16[1]/OBX.16.2)[1]"/></ReporterName>
      <ReportedAt>
        <xsl:choose>
          <xsl:when test="$obr/OBR.32/OBR.32.1/* and $obr/OBR.32/OBR.32.2 != ''"><xsl:value-of select="g:iso($obr/OBR.32/OBR.32.2)"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="$changed"/></xsl:otherwise>
        </xsl:choose>
      </ReportedAt>
      <!-- Who is responsible for a final report has audited it, where nobody else is named. -->
      <xsl:variable name="is-final" select="$status = 'F' or $status = 'C' or (not($status) and $rows/OBX.11/OBX.11.1 = 'F')"/>
      <xsl:variable name="auditor" select="($obr/OBR.33 | $obr/OBR.32[$is-final and not($obr/OBR.33)])[1]"/>
      <AuditorCode>
        <xsl:choose>
          <xsl:when test="$auditor"><xsl:value-of select="$auditor/*[1]/descendant-or-self::*[not(*)][1]"/></xsl:when>
          <xsl:when test="$is-final"><xsl:value-of select="$rows/OBX.16[1]/OBX.16.1"/></xsl:when>
        </xsl:choose>
      </AuditorCode>
      <AuditorName><xsl:value-of select="($auditor/*[1]/*[2] | $auditor[not(*[1]/*[2])]/*[2] | $rows[not($auditor) and $is-final]/OBX.16[1]/OBX.16.2)[1]"/></AuditorName>
      <AuditedAt>
        <xsl:choose>
          <xsl:when test="$obr/OBR.33/OBR.33.1/* and $obr/OBR.33/OBR.33.2 != ''"><xsl:value-of select="g:iso($obr/OBR.33/OBR.33.2)"/></xsl:when>
          <xsl:when test="$is-final"><xsl:value-of select="$changed"/></xsl:when>
        </xsl:choose>
      </AuditedAt>
      <ExamAt><xsl:value-of select="g:iso($obr/OBR.7/OBR.7.1)"/></ExamAt>
      <DeviceCode><xsl:value-of select="($rows/OBX.18/OBX.18.1)[1]"/></DeviceCode>
      <Critical>
        <xsl:choose>
          <xsl:when test="$results/OBX.8/OBX.8.1 = 'HH' or $results/OBX.8/OBX.8.1 = 'LL'">true</xsl:when>
          <xsl:otherwise><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Critical'"/></xsl:call-template></xsl:otherwise>
        </xsl:choose>
      </Critical>
      <Criticals>
        <xsl:for-each select="OBX[OBX.3/OBX.3.3 = '99HG' and OBX.3/OBX.3.1 = 'CriticalId']"><Critical><CriticalId><xsl:value-of select="OBX.5/OBX.5.1"/></CriticalId></Critical></xsl:for-each>
      </Criticals>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'DelayReason'"/></xsl:call-template>
      <Results><xsl:apply-templates select="$results"/></Results>
      <StudyInstanceUid><xsl:value-of select="($dicom[OBX.3/OBX.3.1 = '113014' or OBX.3/OBX.3.1 = '110180']/OBX.5/OBX.5.1)[1]"/></StudyInstanceUid>
      <Modality><xsl:value-of select="($dicom[OBX.3/OBX.3.1 = '121139']/OBX.5/OBX.5.1)[1]"/></Modality>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'SeriesCount'"/></xsl:call-template>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'ImageCount'"/></xsl:call-template>
      <xsl:call-template name="pictures"/>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'SignatureValue'"/></xsl:call-template>
      <xsl:call-template name="own"><xsl:with-param name="name" select="'CertificateSerial'"/></xsl:call-template>
      <WithdrawReason>
        <xsl:variable name="told"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'WithdrawReason'"/></xsl:call-template></xsl:variable>
        <xsl:choose>
          <xsl:when test="$told != ''"><xsl:value-of select="$told"/></xsl:when>
          <xsl:when test="$status = 'X'"><xsl:value-of select="(ORC[1]/ORC.16/ORC.16.2 | NTE[not(/HL7/ORC[1]/ORC.16)]/NTE.3/NTE.3.1)[1]"/></xsl:when>
        </xsl:choose>
      </WithdrawReason>
    </Request>
  </xsl:template>

  <xsl:template name="own">
    <xsl:param name="name"/>
    <xsl:element name="{$name}"><xsl:call-template name="own-field"><xsl:with-param name="name" select="$name"/></xsl:call-template></xsl:element>
  </xsl:template>

  <!-- Which requisitions and orders it answers: ORC-4 or ORC-2, and OBR-2. -->
  <xsl:template name="orders">
    <xsl:variable name="numbers">
      <xsl:choose>
        <xsl:when test="ORC/ORC.4"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="ORC/ORC.4"/></xsl:call-template></xsl:when>
        <xsl:when test="ORC/ORC.2"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="ORC/ORC.2"/></xsl:call-template></xsl:when>
        <xsl:otherwise><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="OBR/OBR.2"/></xsl:call-template></xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <xsl:variable name="requisitions"><xsl:call-template name="distinct"><xsl:with-param name="list" select="$numbers"/></xsl:call-template></xsl:variable>
    <Requisitions>
      <xsl:for-each select="g:items($requisitions)"><Requisition><RequisitionNo><xsl:value-of select="."/></RequisitionNo></Requisition></xsl:for-each>
    </Requisitions>
    <xsl:variable name="all"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="OBR/OBR.2"/></xsl:call-template></xsl:variable>
    <xsl:variable name="orders"><xsl:call-template name="distinct"><xsl:with-param name="list" select="$all"/><xsl:with-param name="seen" select="concat('^', $requisitions)"/></xsl:call-template></xsl:variable>
    <Orders>
      <xsl:for-each select="g:items($orders)"><Order><OrderNo><xsl:value-of select="."/></OrderNo></Order></xsl:for-each>
    </Orders>
  </xsl:template>

  <xsl:template name="texts">
    <xsl:param name="rows"/>
    <xsl:for-each select="$rows/OBX.5">
      <xsl:if test="position() > 1"><xsl:text>&#10;</xsl:text></xsl:if>
      <xsl:call-template name="value"><xsl:with-param name="type" select="../OBX.2/OBX.2.1"/></xsl:call-template>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="OBX">
    <xsl:variable name="sub" select="OBX.4/OBX.4.1"/>
    <xsl:variable name="text"><xsl:call-template name="texts"><xsl:with-param name="rows" select="."/></xsl:call-template></xsl:variable>
    <xsl:variable name="organism" select="$organisms[OBX.4/OBX.4.1 = $sub and $sub != ''][1]"/>
    <Result>
      <ItemCode><xsl:value-of select="OBX.3/OBX.3.1/descendant-or-self::*[not(*)][1]"/></ItemCode>
      <LoincCode>
        <xsl:choose>
          <xsl:when test="OBX.3/OBX.3.6 = 'LN'"><xsl:value-of select="OBX.3/OBX.3.4"/></xsl:when>
          <xsl:when test="OBX.3/OBX.3.3 = 'LN'"><xsl:value-of select="OBX.3/OBX.3.1"/></xsl:when>
        </xsl:choose>
      </LoincCode>
      <ItemName><xsl:value-of select="OBX.3/OBX.3.2"/></ItemName>
      <ValueText><xsl:value-of select="$text"/></ValueText>
      <ValueNum><xsl:if test="OBX.2/OBX.2.1 = 'NM'"><xsl:value-of select="normalize-space($text)"/></xsl:if></ValueNum>
      <Unit><xsl:value-of select="(OBX.6/OBX.6.1 | OBX.6[not(OBX.6.1)]/OBX.6.2)[1]"/></Unit>
      <RefRange><xsl:value-of select="OBX.7/OBX.7.1"/></RefRange>
      <AbnormalFlag><xsl:call-template name="flag"/></AbnormalFlag>
      <OrganismCode><xsl:value-of select="$organism/OBX.5/OBX.5.1"/></OrganismCode>
      <OrganismName><xsl:value-of select="$organism/OBX.5/OBX.5.2"/></OrganismName>
      <Antibiotics>
        <xsl:for-each select="$antibiotics[substring-before(OBX.4/OBX.4.1, '.') = $sub and $sub != '']">
          <Antibiotic>
            <Code><xsl:value-of select="OBX.3/OBX.3.1"/></Code>
            <Name><xsl:value-of select="OBX.3/OBX.3.2"/></Name>
            <Result><xsl:value-of select="OBX.8/OBX.8.1"/></Result>
            <ValueText><xsl:value-of select="OBX.5/OBX.5.1"/></ValueText>
          </Antibiotic>
        </xsl:for-each>
      </Antibiotics>
    </Result>
  </xsl:template>

  <xsl:template name="flag">
    <xsl:variable name="flag" select="translate(OBX.8[1]/OBX.8.1, 'nlha↑↓', 'NLHAHL')"/>
    <xsl:if test="contains(' N L H LL HH A AA ', concat(' ', $flag, ' '))"><xsl:value-of select="$flag"/></xsl:if>
  </xsl:template>

  <!-- A value by its type; coded ones by their words, structured numbers as they are read aloud. -->
  <xsl:template name="value">
    <xsl:param name="type"/>
    <xsl:choose>
      <xsl:when test="($type = 'CE' or $type = 'CWE' or $type = 'CNE') and OBX.5.2 != ''"><xsl:value-of select="OBX.5.2"/></xsl:when>
      <xsl:when test="$type = 'SN'"><xsl:value-of select="concat(OBX.5.1, OBX.5.2, OBX.5.3, OBX.5.4)"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="OBX.5.1"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- ED holds the thing itself, RP says where it is. JPEG pictures, and PDF or other documents. -->
  <xsl:template name="pictures">
    <ViewerUrl><xsl:value-of select="($pictures[OBX.2/OBX.2.1 = 'RP'][count(. | $documents) > count($documents)]/OBX.5/OBX.5.1)[1]"/></ViewerUrl>
    <KeyImages>
      <xsl:for-each select="$pictures[OBX.2/OBX.2.1 = 'ED' and (OBX.5/OBX.5.3 = 'JPEG' or OBX.5/OBX.5.3 = 'JPG')]">
        <KeyImage>
          <SopInstanceUid><xsl:value-of select="OBX.4/OBX.4.1"/></SopInstanceUid>
          <Caption><xsl:value-of select="OBX.3/OBX.3.2"/></Caption>
          <Content><xsl:value-of select="OBX.5/OBX.5.5"/></Content>
        </KeyImage>
      </xsl:for-each>
    </KeyImages>
    <ReportFiles>
      <xsl:for-each select="$documents">
        <xsl:variable name="kind" select="(OBX.5[../OBX.2/OBX.2.1 = 'ED']/OBX.5.3 | OBX.5[../OBX.2/OBX.2.1 = 'RP']/OBX.5.4)[1]"/>
        <ReportFile>
          <Format>
            <xsl:choose>
              <xsl:when test="$kind = 'PDF'">PDF</xsl:when>
              <xsl:when test="$kind = 'JPEG' or $kind = 'JPG'">JPG</xsl:when>
              <xsl:when test="OBX.5/OBX.5.2 = 'CDA' or $kind = 'x-hl7-cda-level-one'">CDA</xsl:when>
              <xsl:when test="$kind = 'XML'">XML</xsl:when>
              <xsl:otherwise><xsl:value-of select="g:fail('OBX-5 holds a document that is neither PDF, JPEG, CDA nor XML.')"/></xsl:otherwise>
            </xsl:choose>
          </Format>
          <xsl:choose>
            <xsl:when test="OBX.2/OBX.2.1 = 'RP'"><Url><xsl:value-of select="OBX.5/OBX.5.1"/></Url></xsl:when>
            <xsl:when test="OBX.5/OBX.5.4 = 'Base64'"><Content><xsl:value-of select="OBX.5/OBX.5.5"/></Content></xsl:when>
            <xsl:otherwise><xsl:value-of select="g:fail('OBX-5.4 is not Base64.')"/></xsl:otherwise>
          </xsl:choose>
          <Sha256><xsl:if test="string-length(OBX.4/OBX.4.1) = 64"><xsl:value-of select="OBX.4/OBX.4.1"/></xsl:if></Sha256>
        </ReportFile>
      </xsl:for-each>
    </ReportFiles>
  </xsl:template>
</xsl:stylesheet>

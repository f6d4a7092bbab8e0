<?xml version="1.0" encoding="UTF-8"?>
<!-- ORU (R01, R40) with critical results (OBX-8 HH, LL or AA) to PushCriticalValue. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <xsl:template match="/HL7">
    <xsl:variable name="obr" select="OBR[1]"/>
    <xsl:variable name="told"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'CriticalId'"/></xsl:call-template></xsl:variable>
    <!-- Without a number of ours the critical rows are found by their flags. -->
    <xsl:variable name="rows" select="OBX[not(OBX.3/OBX.3.3 = '99HG' or OBX.11/OBX.11.1 = 'D' or OBX.11/OBX.11.1 = 'W')][$told != '' or OBX.8/OBX.8.1 = 'HH' or OBX.8/OBX.8.1 = 'LL' or OBX.8/OBX.8.1 = 'AA']"/>
    <xsl:variable name="content"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Content'"/></xsl:call-template></xsl:variable>
    <xsl:variable name="found"><xsl:call-template name="first-time"><xsl:with-param name="times" select="$rows[1]/OBX.14/OBX.14.1 | $obr/OBR.22[not($rows[1]/OBX.14)]/OBR.22.1"/></xsl:call-template></xsl:variable>
    <xsl:if test="not($rows) and $content = ''"><xsl:value-of select="g:fail('No OBX-8 is HH, LL or AA.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <CriticalId>
        <xsl:choose>
          <xsl:when test="$told != ''"><xsl:value-of select="$told"/></xsl:when>
          <!-- The same values of the same examination are the same critical value, however often they are sent. -->
          <xsl:otherwise><xsl:value-of select="g:number('CV', $obr/OBR.3, $obr/OBR.2, g:join($rows/OBX.3, '|'), g:join($rows/OBX.5, '|'), $found)"/></xsl:otherwise>
        </xsl:choose>
      </CriticalId>
      <Action><xsl:choose>
        <xsl:when test="$obr/OBR.25/OBR.25.1 = 'X'">CANCEL</xsl:when>
        <xsl:when test="$obr/OBR.25/OBR.25.1 = 'C' and $told != ''">UPDATE</xsl:when>
        <xsl:otherwise>NEW</xsl:otherwise>
      </xsl:choose></Action>
      <SourceType>
        <xsl:variable name="type"><xsl:if test="$kind-code != ''"><xsl:call-template name="requisition-type"/></xsl:if></xsl:variable>
        <xsl:choose>
          <xsl:when test="$kind-code = 'POC'">7</xsl:when>
          <xsl:when test="$type = 'PATH'">2</xsl:when>
          <xsl:when test="$type = 'ECG'">3</xsl:when>
          <xsl:when test="$type = 'US'">4</xsl:when>
          <xsl:when test="$type = 'ENDO'">5</xsl:when>
          <xsl:when test="$type = 'EXAM' or $type = 'NM'">6</xsl:when>
          <xsl:when test="$type = 'LAB' or $type = 'BLOOD'">1</xsl:when>
        </xsl:choose>
      </SourceType>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <Orders>
        <xsl:variable name="orders"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="OBR/OBR.2"/></xsl:call-template></xsl:variable>
        <xsl:variable name="requisition"><xsl:call-template name="requisition-no"/></xsl:variable>
        <xsl:for-each select="g:items($orders)[. != $requisition]"><Order><OrderNo><xsl:value-of select="."/></OrderNo></Order></xsl:for-each>
      </Orders>
      <ReportNo><xsl:value-of select="$obr/OBR.20/OBR.20.1"/></ReportNo>
      <StudyNo><xsl:value-of select="$obr/OBR.3/OBR.3.1"/></StudyNo>
      <Barcode><xsl:value-of select="(SPM[1]/SPM.2/SPM.2.1/SPM.2.1.1 | SPM[1]/SPM.2/SPM.2.1[not(*)])[1]"/></Barcode>
      <Patient>
        <PatientId><xsl:value-of select="(PID[1]/PID.3[PID.3.5 = 'PI'] | PID[1]/PID.3[not(../PID.3[PID.3.5 = 'PI'])][not(PID.3.5) or PID.3.5 = 'MR'])[1]/PID.3.1"/></PatientId>
        <EmpiId><xsl:value-of select="PID[1]/PID.3[PID.3.5 = 'EI'][1]/PID.3.1"/></EmpiId>
        <PatientName><xsl:apply-templates select="PID[1]/PID.5[1]" mode="name"/></PatientName>
        <SexCode><xsl:choose>
          <xsl:when test="PID[1]/PID.8/PID.8.1 = 'M'">1</xsl:when>
          <xsl:when test="PID[1]/PID.8/PID.8.1 = 'F'">2</xsl:when>
          <xsl:when test="PID[1]/PID.8/PID.8.1 = 'O'">9</xsl:when>
          <xsl:otherwise>0</xsl:otherwise>
        </xsl:choose></SexCode>
        <BirthDate><xsl:value-of select="g:iso-date(PID[1]/PID.7/PID.7.1)"/></BirthDate>
        <AgeText><xsl:call-template name="own-field"><xsl:with-param name="name" select="'AgeText'"/></xsl:call-template></AgeText>
        <Phone><xsl:value-of select="PID[1]/PID.13[1]/PID.13.1"/></Phone>
      </Patient>
      <Visit>
        <VisitType><xsl:choose>
          <xsl:when test="PV1[1]/PV1.2/PV1.2.1 = 'O'">1</xsl:when>
          <xsl:when test="PV1[1]/PV1.2/PV1.2.1 = 'E'">2</xsl:when>
          <xsl:when test="PV1[1]/PV1.2/PV1.2.1 = 'I'">3</xsl:when>
          <xsl:otherwise>9</xsl:otherwise>
        </xsl:choose></VisitType>
        <VisitNo><xsl:value-of select="PV1[1]/PV1.19/PV1.19.1"/></VisitNo>
        <VisitSeq><xsl:value-of select="PV1[1]/PV1.50/PV1.50.1"/></VisitSeq>
        <DeptCode><xsl:value-of select="PV1[1]/PV1.10/PV1.10.1"/></DeptCode>
        <DeptName><xsl:value-of select="PV1[1]/PV1.10/PV1.10.2"/></DeptName>
        <WardCode><xsl:value-of select="PV1[1]/PV1.3/PV1.3.1"/></WardCode>
        <WardName><xsl:value-of select="PV1[1]/PV1.3/PV1.3.9"/></WardName>
        <BedNo><xsl:value-of select="PV1[1]/PV1.3/PV1.3.3"/></BedNo>
      </Visit>
      <Content>
        <xsl:choose>
          <xsl:when test="$content != ''"><xsl:value-of select="$content"/></xsl:when>
          <xsl:otherwise>
            <xsl:for-each select="$rows">
              <xsl:if test="position() > 1">；</xsl:if>
              <xsl:value-of select="normalize-space(concat((OBX.3/OBX.3.2 | OBX.3[not(OBX.3.2)]/OBX.3.1)[1], ' ', OBX.5[1]/OBX.5.1, ' ', OBX.6/OBX.6.1, ' ', OBX.8[1]/OBX.8.1))"/>
            </xsl:for-each>
          </xsl:otherwise>
        </xsl:choose>
      </Content>
      <Details>
        <xsl:for-each select="$rows">
          <Detail>
            <ItemCode><xsl:value-of select="OBX.3/OBX.3.1"/></ItemCode>
            <ItemName><xsl:value-of select="OBX.3/OBX.3.2"/></ItemName>
            <Value><xsl:value-of select="OBX.5[1]/OBX.5.1"/></Value>
            <Unit><xsl:value-of select="OBX.6/OBX.6.1"/></Unit>
            <RefRange><xsl:value-of select="OBX.7/OBX.7.1"/></RefRange>
            <Flag><xsl:value-of select="OBX.8[1]/OBX.8.1"/></Flag>
            <CriticalRule><xsl:value-of select="following-sibling::*[1][self::NTE]/NTE.3/NTE.3.1"/></CriticalRule>
          </Detail>
        </xsl:for-each>
      </Details>
      <FoundAt><xsl:value-of select="$found"/></FoundAt>
      <ReportedAt>
        <xsl:variable name="reported"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReportedAt'"/></xsl:call-template></xsl:variable>
        <xsl:choose>
          <xsl:when test="$reported != ''"><xsl:value-of select="g:iso($reported)"/></xsl:when>
          <!-- A device sends the value again later: it would be another content under the same number. -->
          <xsl:when test="$told = '' and $found != ''"><xsl:value-of select="$found"/></xsl:when>
          <xsl:otherwise><xsl:call-template name="sent-at"/></xsl:otherwise>
        </xsl:choose>
      </ReportedAt>
      <ReporterCode><xsl:value-of select="($obr/OBR.32/OBR.32.1/descendant-or-self::*[not(*)][1] | $rows[not($obr/OBR.32)]/OBX.16[1]/OBX.16.1)[1]"/></ReporterCode>
      <ReporterName><xsl:value-of select="($obr/OBR.32/OBR.32.1/OBR.32.1.2 | $obr/OBR.32[not(OBR.32.1/OBR.32.1.2)]/OBR.32.2 | $rows[not($obr/OBR.32)]/OBX.16[1]/OBX.16.2)[1]"/></ReporterName>
      <ReporterPhone><xsl:value-of select="($obr/OBR.17/OBR.17.1)[1]"/></ReporterPhone>
      <TargetDeptCode><xsl:value-of select="(OBX[OBX.3/OBX.3.3 = '99HG' and OBX.3/OBX.3.1 = 'TargetDeptCode']/OBX.5/OBX.5.1 | PV1[1]/PV1.10[$told = '']/PV1.10.1)[1]"/></TargetDeptCode>
      <TargetWardCode><xsl:value-of select="(OBX[OBX.3/OBX.3.3 = '99HG' and OBX.3/OBX.3.1 = 'TargetWardCode']/OBX.5/OBX.5.1 | PV1[1]/PV1.3[$told = '']/PV1.3.1)[1]"/></TargetWardCode>
      <TargetDoctors>
        <xsl:for-each select="$obr/OBR.16"><Doctor><Code><xsl:value-of select="OBR.16.1"/></Code><Name><xsl:value-of select="concat(OBR.16.2, OBR.16.3)"/></Name></Doctor></xsl:for-each>
      </TargetDoctors>
      <SpecimenName><xsl:value-of select="(SPM[1]/SPM.4/SPM.4.2 | $obr/OBR.15/OBR.15.1/OBR.15.1.2)[1]"/></SpecimenName>
      <xsl:for-each select="OBX[OBX.3/OBX.3.3 = '99HG' and contains(' Level ConfirmedAt ReceiveDeadline HandleDeadline CollectedAt Explanation Warning OverdueStage OverdueSince EscalationLevel ', concat(' ', OBX.3/OBX.3.1, ' '))]">
        <xsl:element name="{OBX.3/OBX.3.1}"><xsl:value-of select="OBX.5/OBX.5.1"/></xsl:element>
      </xsl:for-each>
    </Request>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<!-- What all messages from HL7 have in common: MSH, PID, PV1, doctors, kinds and priorities. docs/hl7.md says which field is which. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">

  <xsl:variable name="kind-code" select="translate((//OBR.24/OBR.24.1)[1], 'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ')"/>

  <xsl:template name="header">
    <!-- Who sends, and for which hospital, is known by the connection and not by what MSH-3 and MSH-4 say. -->
    <Header>
      <MessageId><xsl:value-of select="/HL7/MSH/MSH.10/MSH.10.1"/></MessageId>
      <SenderCode><xsl:value-of select="g:value('client')"/></SenderCode>
      <HospitalCode><xsl:value-of select="g:value('hospital_code')"/></HospitalCode>
      <BranchCode><xsl:value-of select="/HL7/MSH/MSH.4/MSH.4.2"/></BranchCode>
      <SentAt><xsl:call-template name="sent-at"/></SentAt>
      <OperatorCode><xsl:value-of select="(//ORC.10/ORC.10.1 | //EVN.5/EVN.5.1)[1]"/></OperatorCode>
      <OperatorName><xsl:value-of select="(//ORC.10/ORC.10.2 | //EVN.5/EVN.5.2)[1]"/></OperatorName>
    </Header>
  </xsl:template>

  <xsl:template name="sent-at">
    <xsl:choose>
      <xsl:when test="/HL7/MSH/MSH.7/MSH.7.1 != ''"><xsl:value-of select="g:iso(/HL7/MSH/MSH.7/MSH.7.1)"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="g:iso(g:now())"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- The first of these times that is given, else when the message was sent. -->
  <xsl:template name="first-time">
    <xsl:param name="times"/>
    <xsl:choose>
      <xsl:when test="$times[. != '']"><xsl:value-of select="g:iso($times[. != ''][1])"/></xsl:when>
      <xsl:otherwise><xsl:call-template name="sent-at"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- A field of ours for which HL7 has none: an OBX whose coding system is 99HG and whose code is its name. -->
  <xsl:template name="own-field">
    <xsl:param name="name"/>
    <xsl:value-of select="(/HL7/OBX[OBX.3/OBX.3.3 = '99HG' and OBX.3/OBX.3.1 = $name]/OBX.5/OBX.5.1)[1]"/>
  </xsl:template>

  <xsl:template name="patient">
    <xsl:variable name="pid" select="/HL7/PID[1]"/>
    <xsl:variable name="card" select="$pid/PID.3[PID.3.4/PID.3.4.1 = 'CV02.01.101' or PID.3.5 = 'NI' or PID.3.5 = 'NNCHN' or PID.3.5 = 'PPN' or PID.3.5 = 'DL' or PID.3.5 = 'MI'][1]"/>
    <Patient>
      <PatientId>
        <xsl:choose>
          <xsl:when test="$pid/PID.3[PID.3.5 = 'PI']"><xsl:value-of select="$pid/PID.3[PID.3.5 = 'PI'][1]/PID.3.1"/></xsl:when>
          <xsl:when test="$pid/PID.3[not(PID.3.5) or PID.3.5 = 'MR']"><xsl:value-of select="$pid/PID.3[not(PID.3.5) or PID.3.5 = 'MR'][1]/PID.3.1"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="$pid/PID.2[1]/PID.2.1"/></xsl:otherwise>
        </xsl:choose>
      </PatientId>
      <EmpiId><xsl:value-of select="$pid/PID.3[PID.3.5 = 'EI'][1]/PID.3.1"/></EmpiId>
      <PatientName>
        <xsl:choose>
          <xsl:when test="$pid/PID.5[PID.5.8 = 'I']"><xsl:apply-templates select="$pid/PID.5[PID.5.8 = 'I'][1]" mode="name"/></xsl:when>
          <xsl:otherwise><xsl:apply-templates select="$pid/PID.5[1]" mode="name"/></xsl:otherwise>
        </xsl:choose>
      </PatientName>
      <SexCode>
        <xsl:variable name="sex" select="normalize-space($pid/PID.8/PID.8.1)"/>
        <xsl:choose>
          <xsl:when test="$sex = 'M' or $sex = 'm' or $sex = '1' or $sex = '男'">1</xsl:when>
          <xsl:when test="$sex = 'F' or $sex = 'f' or $sex = '2' or $sex = '女'">2</xsl:when>
          <xsl:when test="$sex = 'O' or $sex = '9' or $sex = 'N'">9</xsl:when>
          <xsl:otherwise>0</xsl:otherwise>
        </xsl:choose>
      </SexCode>
      <BirthDate><xsl:value-of select="g:iso-date($pid/PID.7/PID.7.1)"/></BirthDate>
      <AgeText><xsl:call-template name="own-field"><xsl:with-param name="name" select="'AgeText'"/></xsl:call-template></AgeText>
      <xsl:choose>
        <xsl:when test="$card">
          <IdType>
            <xsl:choose>
              <xsl:when test="$card/PID.3.4/PID.3.4.1 = 'CV02.01.101'"><xsl:value-of select="$card/PID.3.4/PID.3.4.2"/></xsl:when>
              <xsl:when test="$card/PID.3.5 = 'PPN'">03</xsl:when>
              <xsl:when test="$card/PID.3.5 = 'MI'">04</xsl:when>
              <xsl:when test="$card/PID.3.5 = 'DL'">05</xsl:when>
              <xsl:otherwise>01</xsl:otherwise>
            </xsl:choose>
          </IdType>
          <IdNo><xsl:value-of select="$card/PID.3.1"/></IdNo>
        </xsl:when>
        <xsl:when test="$pid/PID.19/PID.19.1 != ''">
          <IdType>01</IdType>
          <IdNo><xsl:value-of select="$pid/PID.19/PID.19.1"/></IdNo>
        </xsl:when>
      </xsl:choose>
      <Phone><xsl:value-of select="($pid/PID.13/PID.13.1 | $pid/PID.13/PID.13.12)[1]"/></Phone>
      <Address>
        <xsl:choose>
          <xsl:when test="$pid/PID.11[1]/PID.11.1/*"><xsl:value-of select="$pid/PID.11[1]/PID.11.1/PID.11.1.1"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="$pid/PID.11[1]/PID.11.1"/></xsl:otherwise>
        </xsl:choose>
      </Address>
      <MotherPatientId><xsl:value-of select="$pid/PID.21[1]/PID.21.1"/></MotherPatientId>
    </Patient>
  </xsl:template>

  <!-- Chinese names are written together, others with a space between given and family name. -->
  <xsl:template match="*" mode="name">
    <xsl:variable name="family" select="*[substring-after(substring-after(name(), '.'), '.') = '1']/descendant-or-self::*[not(*)][1]"/>
    <xsl:variable name="given" select="*[substring-after(substring-after(name(), '.'), '.') = '2']"/>
    <xsl:choose>
      <xsl:when test="$given = ''"><xsl:value-of select="$family"/></xsl:when>
      <xsl:when test="translate($family, 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz -.', '') = ''">
        <xsl:value-of select="normalize-space(concat($given, ' ', $family))"/>
      </xsl:when>
      <xsl:otherwise><xsl:value-of select="concat($family, $given)"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="visit">
    <xsl:variable name="pv1" select="/HL7/PV1[1]"/>
    <Visit>
      <VisitType>
        <xsl:variable name="class" select="$pv1/PV1.2/PV1.2.1"/>
        <xsl:choose>
          <xsl:when test="$class = 'O' or $class = '1'">1</xsl:when>
          <xsl:when test="$class = 'E' or $class = '2'">2</xsl:when>
          <xsl:when test="$class = 'I' or $class = '3'">3</xsl:when>
          <xsl:when test="$class != ''">9</xsl:when>
        </xsl:choose>
      </VisitType>
      <VisitNo><xsl:value-of select="$pv1/PV1.19/PV1.19.1"/></VisitNo>
      <VisitSeq><xsl:value-of select="$pv1/PV1.50[1]/PV1.50.1"/></VisitSeq>
      <DeptCode><xsl:value-of select="$pv1/PV1.10/PV1.10.1"/></DeptCode>
      <DeptName><xsl:value-of select="$pv1/PV1.10/PV1.10.2"/></DeptName>
      <WardCode><xsl:value-of select="$pv1/PV1.3/PV1.3.1"/></WardCode>
      <WardName><xsl:value-of select="$pv1/PV1.3/PV1.3.9"/></WardName>
      <BedNo><xsl:value-of select="$pv1/PV1.3/PV1.3.3"/></BedNo>
      <FeeType><xsl:value-of select="$pv1/PV1.20[1]/PV1.20.1"/></FeeType>
      <InsuranceNo><xsl:value-of select="/HL7/PID[1]/PID.3[PID.3.5 = 'HC'][1]/PID.3.1"/></InsuranceNo>
    </Visit>
  </xsl:template>

  <!-- OBR-24 says which kind of department a requisition is for: HL7 table 0074, DICOM's modalities, or our own words. -->
  <xsl:template name="requisition-type">
    <xsl:choose>
      <xsl:when test="contains(' EXAM LAB PATH US ENDO ECG NM OP ANES BLOOD ', concat(' ', $kind-code, ' ')) and $kind-code != ''"><xsl:value-of select="$kind-code"/></xsl:when>
      <xsl:when test="contains(' CH HM MB IMM SR TX VR MCB MYC ICU OSL POC ', concat(' ', $kind-code, ' ')) and $kind-code != ''">LAB</xsl:when>
      <xsl:when test="$kind-code = 'SP' or $kind-code = 'CP' or $kind-code = 'PAT' or $kind-code = 'GE'">PATH</xsl:when>
      <xsl:when test="$kind-code = 'OUS' or $kind-code = 'RUS' or $kind-code = 'VUS' or $kind-code = 'CUS'">US</xsl:when>
      <xsl:when test="$kind-code = 'EC' or $kind-code = 'EEG'">ECG</xsl:when>
      <xsl:when test="$kind-code = 'ES'">ENDO</xsl:when>
      <xsl:when test="$kind-code = 'NMS' or $kind-code = 'PT'">NM</xsl:when>
      <xsl:when test="$kind-code = 'BLB'">BLOOD</xsl:when>
      <xsl:when test="contains(' RAD CT NMR MR RX DX CR MG XA RF CTH ', concat(' ', $kind-code, ' ')) and $kind-code != ''">EXAM</xsl:when>
      <xsl:when test="$kind-code = '' and /HL7/MSH/MSH.9/MSH.9.1 = 'OML'">LAB</xsl:when>
      <xsl:otherwise><xsl:value-of select="g:fail('OBR-24 does not say which kind of department it is for (LAB, CT, RAD, SP ...).')"/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="requisition-no">
    <xsl:value-of select="(/HL7/ORC[1]/ORC.4/ORC.4.1 | /HL7/ORC[1]/ORC.2[not(/HL7/ORC[1]/ORC.4/ORC.4.1)]/ORC.2.1 | /HL7/OBR[1]/OBR.2[not(/HL7/ORC[1]/ORC.4 or /HL7/ORC[1]/ORC.2)]/OBR.2.1)[1]"/>
  </xsl:template>

  <!-- The order numbers of a field: its repetitions, each perhaps a list joined by an escaped ^ or a comma. A list whose ^
       nobody escaped stands in components: those that look like the first, digit for digit, are numbers too. -->
  <xsl:template name="order-numbers">
    <xsl:param name="field"/>
    <xsl:for-each select="$field">
      <xsl:variable name="first" select="string(*[1])"/>
      <xsl:variable name="shape" select="translate($first, '0123456789', '0000000000')"/>
      <xsl:for-each select="*[position() = 1 or translate(., '0123456789', '0000000000') = $shape]">
        <xsl:for-each select="g:items(translate(., ',，', '^^'), '^')"><xsl:value-of select="concat(normalize-space(.), '^')"/></xsl:for-each>
      </xsl:for-each>
    </xsl:for-each>
  </xsl:template>

  <!-- Such a list, each number once. -->
  <xsl:template name="distinct">
    <xsl:param name="list"/>
    <xsl:param name="seen" select="'^'"/>
    <xsl:if test="$list != ''">
      <xsl:variable name="one" select="substring-before($list, '^')"/>
      <xsl:if test="not(contains($seen, concat('^', $one, '^')))"><xsl:value-of select="concat($one, '^')"/></xsl:if>
      <xsl:call-template name="distinct">
        <xsl:with-param name="list" select="substring-after($list, '^')"/>
        <xsl:with-param name="seen" select="concat($seen, $one, '^')"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>

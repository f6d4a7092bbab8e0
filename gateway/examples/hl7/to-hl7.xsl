<?xml version="1.0" encoding="UTF-8"?>
<!-- What all messages to HL7 have in common: MSH, PID and PV1. docs/hl7.md says which field is which. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">

  <!-- `type` is what is sent unless the settings name a function: ORM^O01, OMG^O19 ... -->
  <xsl:template name="msh">
    <xsl:param name="type"/>
    <xsl:variable name="wanted"><xsl:choose>
      <xsl:when test="g:value('function') != ''"><xsl:value-of select="g:value('function')"/></xsl:when>
      <xsl:otherwise><xsl:value-of select="$type"/></xsl:otherwise>
    </xsl:choose></xsl:variable>
    <MSH>
      <MSH.3><xsl:value-of select="Header/SenderCode"/></MSH.3>
      <MSH.4><MSH.4.1><xsl:value-of select="Header/HospitalCode"/></MSH.4.1><MSH.4.2><xsl:value-of select="Header/BranchCode"/></MSH.4.2></MSH.4>
      <MSH.5><xsl:value-of select="g:value('partner')"/></MSH.5>
      <MSH.7><xsl:value-of select="g:date(Header/SentAt, 'yyyyMMddHHmmss')"/></MSH.7>
      <MSH.9><MSH.9.1><xsl:value-of select="g:item($wanted, 1)"/></MSH.9.1><MSH.9.2><xsl:value-of select="g:item($wanted, 2)"/></MSH.9.2></MSH.9>
      <MSH.10><xsl:value-of select="Header/MessageId"/></MSH.10>
      <MSH.11>P</MSH.11>
      <MSH.12><xsl:choose>
        <xsl:when test="g:value('version') != ''"><xsl:value-of select="g:value('version')"/></xsl:when>
        <xsl:otherwise>2.4</xsl:otherwise>
      </xsl:choose></MSH.12>
      <MSH.13><xsl:value-of select="StatusSeq"/></MSH.13>
      <MSH.17>CHN</MSH.17>
    </MSH>
  </xsl:template>

  <xsl:template name="pid">
    <PID>
      <PID.1>1</PID.1>
      <xsl:if test="Patient/PatientId != ''"><PID.3><PID.3.1><xsl:value-of select="Patient/PatientId"/></PID.3.1><PID.3.5>PI</PID.3.5></PID.3></xsl:if>
      <xsl:if test="Patient/EmpiId != ''"><PID.3><PID.3.1><xsl:value-of select="Patient/EmpiId"/></PID.3.1><PID.3.4>EMPI</PID.3.4><PID.3.5>EI</PID.3.5></PID.3></xsl:if>
      <xsl:if test="Patient/IdNo != ''"><PID.3>
        <PID.3.1><xsl:value-of select="Patient/IdNo"/></PID.3.1>
        <PID.3.4><PID.3.4.1>CV02.01.101</PID.3.4.1><PID.3.4.2><xsl:value-of select="Patient/IdType"/></PID.3.4.2></PID.3.4>
        <PID.3.5><xsl:choose><xsl:when test="Patient/IdType = '03'">PPN</xsl:when><xsl:otherwise>NI</xsl:otherwise></xsl:choose></PID.3.5>
      </PID.3></xsl:if>
      <xsl:if test="Visit/InsuranceNo != ''"><PID.3><PID.3.1><xsl:value-of select="Visit/InsuranceNo"/></PID.3.1><PID.3.5>HC</PID.3.5></PID.3></xsl:if>
      <PID.5><PID.5.1><xsl:value-of select="Patient/PatientName"/></PID.5.1><PID.5.7>L</PID.5.7></PID.5>
      <PID.7><xsl:value-of select="g:date(Patient/BirthDate, 'yyyyMMdd')"/></PID.7>
      <PID.8><xsl:choose>
        <xsl:when test="Patient/SexCode = '1'">M</xsl:when>
        <xsl:when test="Patient/SexCode = '2'">F</xsl:when>
        <xsl:when test="Patient/SexCode = '9'">O</xsl:when>
        <xsl:otherwise>U</xsl:otherwise>
      </xsl:choose></PID.8>
      <PID.11><xsl:value-of select="Patient/Address"/></PID.11>
      <PID.13><xsl:value-of select="Patient/Phone"/></PID.13>
      <PID.21><xsl:value-of select="Patient/MotherPatientId"/></PID.21>
    </PID>
  </xsl:template>

  <xsl:template name="pv1">
    <xsl:if test="Visit">
      <PV1>
        <PV1.1>1</PV1.1>
        <PV1.2><xsl:choose>
          <xsl:when test="Visit/VisitType = '1'">O</xsl:when>
          <xsl:when test="Visit/VisitType = '2'">E</xsl:when>
          <xsl:when test="Visit/VisitType = '3'">I</xsl:when>
          <xsl:otherwise>U</xsl:otherwise>
        </xsl:choose></PV1.2>
        <PV1.3>
          <PV1.3.1><xsl:value-of select="Visit/WardCode"/></PV1.3.1>
          <PV1.3.3><xsl:value-of select="Visit/BedNo"/></PV1.3.3>
          <PV1.3.9><xsl:value-of select="Visit/WardName"/></PV1.3.9>
        </PV1.3>
        <PV1.10><PV1.10.1><xsl:value-of select="Visit/DeptCode"/></PV1.10.1><PV1.10.2><xsl:value-of select="Visit/DeptName"/></PV1.10.2></PV1.10>
        <xsl:if test="Pregnant = 'true' or Pregnant = '1'"><PV1.15>B6</PV1.15></xsl:if>
        <PV1.19><xsl:value-of select="Visit/VisitNo"/></PV1.19>
        <PV1.20><xsl:value-of select="Visit/FeeType"/></PV1.20>
        <PV1.50><xsl:value-of select="Visit/VisitSeq"/></PV1.50>
      </PV1>
    </xsl:if>
  </xsl:template>

  <!-- A field of ours for which HL7 has none. -->
  <xsl:template name="own-field">
    <xsl:param name="name"/>
    <xsl:param name="value" select="*[name() = $name]"/>
    <xsl:if test="$value != ''">
      <OBX>
        <OBX.2>ST</OBX.2>
        <OBX.3><OBX.3.1><xsl:value-of select="$name"/></OBX.3.1><OBX.3.3>99HG</OBX.3.3></OBX.3>
        <OBX.5><xsl:value-of select="$value"/></OBX.5>
        <OBX.11>F</OBX.11>
      </OBX>
    </xsl:if>
  </xsl:template>

  <xsl:template name="age">
    <xsl:call-template name="own-field">
      <xsl:with-param name="name" select="'AgeText'"/><xsl:with-param name="value" select="Patient/AgeText"/>
    </xsl:call-template>
  </xsl:template>
</xsl:stylesheet>

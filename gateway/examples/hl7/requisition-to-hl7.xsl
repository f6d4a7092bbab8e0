<?xml version="1.0" encoding="UTF-8"?>
<!-- SubmitRequisition to ORM^O01 (or to OMG^O19 or OML^O21, where the settings name that): an ORC and an OBR for each item. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'ORM^O01'"/></xsl:call-template>
      <xsl:call-template name="pid"/>
      <xsl:call-template name="pv1"/>
      <xsl:if test="Allergy != ''"><AL1><AL1.1>1</AL1.1><AL1.3><AL1.3.2><xsl:value-of select="Allergy"/></AL1.3.2></AL1.3></AL1></xsl:if>
      <xsl:apply-templates select="Items/Item"/>
    </HL7>
  </xsl:template>

  <xsl:template match="Item">
    <xsl:variable name="request" select="/Request"/>
    <ORC>
      <ORC.1><xsl:choose>
        <xsl:when test="$request/Action = 'NEW'">NW</xsl:when>
        <xsl:when test="$request/Action = 'UPDATE'">XO</xsl:when>
        <xsl:otherwise>CA</xsl:otherwise>
      </xsl:choose></ORC.1>
      <ORC.2><xsl:value-of select="OrderNo"/></ORC.2>
      <ORC.4><xsl:value-of select="$request/RequisitionNo"/></ORC.4>
      <ORC.7><ORC.7.6><xsl:call-template name="priority"/></ORC.7.6></ORC.7>
      <ORC.9><xsl:value-of select="g:date($request/OrderedAt, 'yyyyMMddHHmmss')"/></ORC.9>
      <ORC.10><ORC.10.1><xsl:value-of select="$request/Header/OperatorCode"/></ORC.10.1><ORC.10.2><xsl:value-of select="$request/Header/OperatorName"/></ORC.10.2></ORC.10>
      <ORC.12><ORC.12.1><xsl:value-of select="$request/OrderingDoctorCode"/></ORC.12.1><ORC.12.2><xsl:value-of select="$request/OrderingDoctorName"/></ORC.12.2></ORC.12>
      <ORC.16><ORC.16.2><xsl:value-of select="$request/CancelReason"/></ORC.16.2></ORC.16>
      <ORC.17><ORC.17.1><xsl:value-of select="$request/OrderingDeptCode"/></ORC.17.1><ORC.17.2><xsl:value-of select="$request/OrderingDeptName"/></ORC.17.2></ORC.17>
    </ORC>
    <OBR>
      <OBR.1><xsl:value-of select="position()"/></OBR.1>
      <OBR.2><xsl:value-of select="OrderNo"/></OBR.2>
      <OBR.4><OBR.4.1><xsl:value-of select="ItemCode"/></OBR.4.1><OBR.4.2><xsl:value-of select="ItemName"/></OBR.4.2></OBR.4>
      <OBR.5><xsl:call-template name="priority"/></OBR.5>
      <OBR.6><xsl:value-of select="g:date($request/OrderedAt, 'yyyyMMddHHmmss')"/></OBR.6>
      <xsl:if test="$request/Infectious = 'true' or $request/Infectious = '1'"><OBR.12>Infectious</OBR.12></xsl:if>
      <OBR.13><xsl:value-of select="$request/ClinicalSummary"/></OBR.13>
      <OBR.15>
        <OBR.15.1><OBR.15.1.1><xsl:value-of select="SpecimenCode"/></OBR.15.1.1><OBR.15.1.2><xsl:value-of select="SpecimenName"/></OBR.15.1.2></OBR.15.1>
        <OBR.15.3><xsl:value-of select="Method"/></OBR.15.3>
        <OBR.15.4><OBR.15.4.1><xsl:value-of select="BodyPartCode"/></OBR.15.4.1><OBR.15.4.2><xsl:value-of select="BodyPartName"/></OBR.15.4.2></OBR.15.4>
      </OBR.15>
      <OBR.16><OBR.16.1><xsl:value-of select="$request/OrderingDoctorCode"/></OBR.16.1><OBR.16.2><xsl:value-of select="$request/OrderingDoctorName"/></OBR.16.2></OBR.16>
      <OBR.19><xsl:value-of select="ItemSeq"/></OBR.19>
      <OBR.21><OBR.21.1><xsl:value-of select="$request/PerformDeptCode"/></OBR.21.1><OBR.21.2><xsl:value-of select="$request/PerformDeptName"/></OBR.21.2></OBR.21>
      <OBR.24><xsl:value-of select="$request/RequisitionType"/></OBR.24>
      <OBR.27><OBR.27.1><xsl:value-of select="Quantity"/></OBR.27.1><OBR.27.6><xsl:call-template name="priority"/></OBR.27.6></OBR.27>
      <OBR.31><OBR.31.2><xsl:value-of select="$request/Purpose"/></OBR.31.2></OBR.31>
      <OBR.46><OBR.46.1><xsl:value-of select="PackageCode"/></OBR.46.1><OBR.46.2><xsl:value-of select="PackageName"/></OBR.46.2></OBR.46>
    </OBR>
    <xsl:if test="position() = 1"><xsl:for-each select="$request"><xsl:call-template name="once"/></xsl:for-each></xsl:if>
    <xsl:call-template name="own-field"><xsl:with-param name="name" select="'UnitPrice'"/></xsl:call-template>
    <xsl:call-template name="own-field"><xsl:with-param name="name" select="'Amount'"/></xsl:call-template>
    <xsl:if test="Barcode != '' or ContainerCode != ''">
      <SPM>
        <SPM.1>1</SPM.1>
        <SPM.2><xsl:value-of select="Barcode"/></SPM.2>
        <SPM.4><SPM.4.1><xsl:value-of select="SpecimenCode"/></SPM.4.1><SPM.4.2><xsl:value-of select="SpecimenName"/></SPM.4.2></SPM.4>
        <SPM.27><xsl:value-of select="ContainerCode"/></SPM.27>
      </SPM>
    </xsl:if>
    <xsl:for-each select="ChargeItems/ChargeItem">
      <FT1>
        <FT1.1><xsl:value-of select="position()"/></FT1.1>
        <FT1.4><xsl:value-of select="g:date($request/OrderedAt, 'yyyyMMddHHmmss')"/></FT1.4>
        <FT1.6>CG</FT1.6>
        <FT1.7><FT1.7.1><xsl:value-of select="ChargeCode"/></FT1.7.1><FT1.7.2><xsl:value-of select="ItemName"/></FT1.7.2></FT1.7>
        <FT1.9><xsl:value-of select="Unit"/></FT1.9>
        <FT1.10><xsl:value-of select="Quantity"/></FT1.10>
        <FT1.11><xsl:value-of select="Amount"/></FT1.11>
        <FT1.12><xsl:value-of select="UnitPrice"/></FT1.12>
        <FT1.25><xsl:value-of select="InsuranceCode"/></FT1.25>
      </FT1>
    </xsl:for-each>
  </xsl:template>

  <!-- What is said once, with the first order. -->
  <xsl:template name="once">
    <xsl:if test="Symptoms != ''"><NTE><NTE.1>1</NTE.1><NTE.3><xsl:value-of select="Symptoms"/></NTE.3><NTE.4>SYM</NTE.4></NTE></xsl:if>
    <xsl:if test="Precautions != ''"><NTE><NTE.1>2</NTE.1><NTE.3><xsl:value-of select="Precautions"/></NTE.3><NTE.4>PRE</NTE.4></NTE></xsl:if>
    <xsl:for-each select="Diagnoses/Diagnosis">
      <DG1>
        <DG1.1><xsl:value-of select="position()"/></DG1.1>
        <DG1.3><DG1.3.1><xsl:value-of select="Code"/></DG1.3.1><DG1.3.2><xsl:value-of select="Name"/></DG1.3.2><DG1.3.3><xsl:choose><xsl:when test="Type = 'TCM'">TCM</xsl:when><xsl:otherwise>I10</xsl:otherwise></xsl:choose></DG1.3.3></DG1.3>
        <DG1.6>W</DG1.6>
        <DG1.15><xsl:choose><xsl:when test="Type = 'MAIN'">1</xsl:when><xsl:otherwise>2</xsl:otherwise></xsl:choose></DG1.15>
      </DG1>
    </xsl:for-each>
    <xsl:call-template name="age"/>
    <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReleaseEvent'"/></xsl:call-template>
    <xsl:call-template name="own-field"><xsl:with-param name="name" select="'PaidAt'"/></xsl:call-template>
    <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReceiptNo'"/></xsl:call-template>
    <xsl:if test="Pregnant = 'false' or Pregnant = '0'"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Pregnant'"/></xsl:call-template></xsl:if>
    <xsl:if test="Infectious = 'false' or Infectious = '0'"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Infectious'"/></xsl:call-template></xsl:if>
  </xsl:template>

  <xsl:template name="priority">
    <xsl:choose>
      <xsl:when test="/Request/Priority = 'STAT'">S</xsl:when>
      <xsl:when test="/Request/Priority = 'URGENT'">A</xsl:when>
      <xsl:otherwise>R</xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>

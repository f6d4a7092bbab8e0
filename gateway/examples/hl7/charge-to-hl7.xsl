<?xml version="1.0" encoding="UTF-8"?>
<!-- ChargeItem to DFT^P03, an FT1 (CG) for each line; what FT1 has no field for stands in a ZFT behind it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'DFT^P03'"/></xsl:call-template>
      <EVN><EVN.1>P03</EVN.1><EVN.2><xsl:value-of select="g:date(OccurredAt, 'yyyyMMddHHmmss')"/></EVN.2><EVN.5><EVN.5.1><xsl:value-of select="Header/OperatorCode"/></EVN.5.1><EVN.5.2><xsl:value-of select="Header/OperatorName"/></EVN.5.2></EVN.5></EVN>
      <xsl:call-template name="pid"/>
      <xsl:call-template name="pv1"/>
      <xsl:call-template name="age"/>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ChargePoint'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'OrderingDeptCode'"/></xsl:call-template>
      <xsl:for-each select="Lines/Line">
        <FT1>
          <FT1.1><xsl:value-of select="LineNo"/></FT1.1>
          <FT1.2><xsl:value-of select="/Request/ChargeNo"/></FT1.2>
          <FT1.4><xsl:value-of select="g:date(/Request/OccurredAt, 'yyyyMMddHHmmss')"/></FT1.4>
          <FT1.6>CG</FT1.6>
          <FT1.7><FT1.7.1><xsl:value-of select="ChargeCode"/></FT1.7.1><FT1.7.2><xsl:value-of select="ItemName"/></FT1.7.2></FT1.7>
          <FT1.9><xsl:value-of select="Unit"/></FT1.9>
          <FT1.10><xsl:value-of select="Quantity"/></FT1.10>
          <FT1.11><xsl:value-of select="ActualAmount"/></FT1.11>
          <FT1.12><xsl:value-of select="UnitPrice"/></FT1.12>
          <FT1.13><xsl:value-of select="/Request/PerformDeptCode"/></FT1.13>
          <FT1.16><xsl:value-of select="/Request/NurseUnitCode"/></FT1.16>
          <FT1.23><xsl:value-of select="/Request/RequisitionNo"/></FT1.23>
          <FT1.25><xsl:value-of select="InsuranceCode"/></FT1.25>
        </FT1>
        <xsl:if test="concat(ItemSeq, PackageCode, Spec, ListAmount, BatchNo, Udi) != ''">
          <ZFT>
            <ZFT.1><xsl:value-of select="ItemSeq"/></ZFT.1>
            <ZFT.2><xsl:value-of select="PackageCode"/></ZFT.2>
            <ZFT.3><xsl:value-of select="Spec"/></ZFT.3>
            <ZFT.4><xsl:value-of select="ListAmount"/></ZFT.4>
            <ZFT.5><xsl:value-of select="BatchNo"/></ZFT.5>
            <ZFT.6><xsl:value-of select="Udi"/></ZFT.6>
          </ZFT>
        </xsl:if>
      </xsl:for-each>
      <xsl:for-each select="Packages/Package"><ZPK><ZPK.1><xsl:value-of select="PackageCode"/></ZPK.1><ZPK.2><xsl:value-of select="Amount"/></ZPK.2></ZPK></xsl:for-each>
    </HL7>
  </xsl:template>
</xsl:stylesheet>

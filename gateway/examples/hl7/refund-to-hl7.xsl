<?xml version="1.0" encoding="UTF-8"?>
<!-- RefundItem to DFT^P03, an FT1 (CD) for each line. It names no patient: HIS finds the charge by its number. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'DFT^P03'"/></xsl:call-template>
      <EVN><EVN.1>P03</EVN.1><EVN.2><xsl:value-of select="g:date(OccurredAt, 'yyyyMMddHHmmss')"/></EVN.2><EVN.5><EVN.5.1><xsl:value-of select="Header/OperatorCode"/></EVN.5.1><EVN.5.2><xsl:value-of select="Header/OperatorName"/></EVN.5.2></EVN.5></EVN>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'OriginalChargeNo'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'SourceSystem'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'Initiator'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReasonCode'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReasonText'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'ApproverCode'"/></xsl:call-template>
      <xsl:call-template name="own-field"><xsl:with-param name="name" select="'MoveToDeptCode'"/></xsl:call-template>
      <xsl:for-each select="Lines/Line">
        <FT1>
          <FT1.1><xsl:value-of select="OriginalLineNo"/></FT1.1>
          <FT1.2><xsl:value-of select="/Request/RefundNo"/></FT1.2>
          <FT1.4><xsl:value-of select="g:date(/Request/OccurredAt, 'yyyyMMddHHmmss')"/></FT1.4>
          <FT1.6>CD</FT1.6>
          <FT1.7><xsl:value-of select="ChargeCode"/></FT1.7>
          <FT1.10><xsl:value-of select="RefundQuantity"/></FT1.10>
          <FT1.11><xsl:value-of select="RefundAmount"/></FT1.11>
          <FT1.23><xsl:value-of select="/Request/RequisitionNo"/></FT1.23>
        </FT1>
        <xsl:if test="RefundShare != ''"><ZFT><ZFT.7><xsl:value-of select="RefundShare"/></ZFT.7></ZFT></xsl:if>
      </xsl:for-each>
    </HL7>
  </xsl:template>
</xsl:stylesheet>

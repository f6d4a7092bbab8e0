<?xml version="1.0" encoding="UTF-8"?>
<!-- DFT^P03 whose FT1-6 is CG to ChargeItem. Amounts are taken as they are written, to the last digit. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <xsl:template match="/HL7">
    <xsl:variable name="first" select="FT1[1]"/>
    <xsl:if test="FT1[not(FT1.6/FT1.6.1 = 'CG')]"><xsl:value-of select="g:fail('FT1-6 is not CG in every line: charges and refunds go in messages of their own.')"/></xsl:if>
    <xsl:if test="FT1[FT1.2/FT1.2.1 != $first/FT1.2/FT1.2.1]"><xsl:value-of select="g:fail('FT1-2 differs within the message: one message is one charge.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <ChargeNo><xsl:value-of select="$first/FT1.2/FT1.2.1"/></ChargeNo>
      <RequisitionNo><xsl:value-of select="$first/FT1.23/FT1.23.1"/></RequisitionNo>
      <xsl:call-template name="patient"/>
      <xsl:call-template name="visit"/>
      <ChargePoint>
        <xsl:variable name="point"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ChargePoint'"/></xsl:call-template></xsl:variable>
        <xsl:choose>
          <xsl:when test="$point != ''"><xsl:value-of select="$point"/></xsl:when>
          <xsl:when test="g:value('charge_point') != ''"><xsl:value-of select="g:value('charge_point')"/></xsl:when>
          <xsl:otherwise>SUPPLEMENT</xsl:otherwise>
        </xsl:choose>
      </ChargePoint>
      <OccurredAt><xsl:call-template name="first-time"><xsl:with-param name="times" select="$first/FT1.4/FT1.4.1"/></xsl:call-template></OccurredAt>
      <OrderingDeptCode><xsl:call-template name="own-field"><xsl:with-param name="name" select="'OrderingDeptCode'"/></xsl:call-template></OrderingDeptCode>
      <PerformDeptCode><xsl:value-of select="$first/FT1.13/FT1.13.1"/></PerformDeptCode>
      <NurseUnitCode><xsl:value-of select="$first/FT1.16/FT1.16.1"/></NurseUnitCode>
      <Lines>
        <xsl:for-each select="FT1">
          <xsl:variable name="more" select="following-sibling::ZFT[count(preceding-sibling::FT1) = count(current()/preceding-sibling::FT1) + 1][1]"/>
          <Line>
            <LineNo><xsl:choose><xsl:when test="FT1.1/FT1.1.1 != ''"><xsl:value-of select="FT1.1/FT1.1.1"/></xsl:when><xsl:otherwise><xsl:value-of select="position()"/></xsl:otherwise></xsl:choose></LineNo>
            <ItemSeq><xsl:value-of select="$more/ZFT.1/ZFT.1.1"/></ItemSeq>
            <PackageCode><xsl:value-of select="$more/ZFT.2/ZFT.2.1"/></PackageCode>
            <ChargeCode><xsl:value-of select="FT1.7/FT1.7.1"/></ChargeCode>
            <InsuranceCode><xsl:value-of select="FT1.25/FT1.25.1"/></InsuranceCode>
            <ItemName><xsl:value-of select="(FT1.7/FT1.7.2 | FT1.8[not(../FT1.7/FT1.7.2)]/FT1.8.1)[1]"/></ItemName>
            <Spec><xsl:value-of select="$more/ZFT.3/ZFT.3.1"/></Spec>
            <Unit><xsl:value-of select="FT1.9/FT1.9.1"/></Unit>
            <Quantity><xsl:value-of select="FT1.10/FT1.10.1"/></Quantity>
            <UnitPrice><xsl:value-of select="FT1.12/FT1.12.1/descendant-or-self::*[not(*)][1]"/></UnitPrice>
            <!-- Without a ZFT there is no discount. -->
            <ListAmount><xsl:value-of select="($more/ZFT.4/ZFT.4.1 | FT1.11[not($more/ZFT.4)]/FT1.11.1/descendant-or-self::*[not(*)][1])[1]"/></ListAmount>
            <ActualAmount><xsl:value-of select="FT1.11/FT1.11.1/descendant-or-self::*[not(*)][1]"/></ActualAmount>
            <BatchNo><xsl:value-of select="$more/ZFT.5/ZFT.5.1"/></BatchNo>
            <Udi><xsl:value-of select="$more/ZFT.6/ZFT.6.1"/></Udi>
          </Line>
        </xsl:for-each>
      </Lines>
      <Packages>
        <xsl:for-each select="ZPK"><Package><PackageCode><xsl:value-of select="ZPK.1/ZPK.1.1"/></PackageCode><Amount><xsl:value-of select="ZPK.2/ZPK.2.1"/></Amount></Package></xsl:for-each>
      </Packages>
    </Request>
  </xsl:template>
</xsl:stylesheet>

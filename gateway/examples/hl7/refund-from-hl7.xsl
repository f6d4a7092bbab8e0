<?xml version="1.0" encoding="UTF-8"?>
<!-- DFT^P03 whose FT1-6 is CD (or CR) to RefundItem. A minus sign says nothing more than CD does and is dropped. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <xsl:template match="/HL7">
    <xsl:variable name="first" select="FT1[1]"/>
    <xsl:if test="FT1[not(FT1.6/FT1.6.1 = 'CD' or FT1.6/FT1.6.1 = 'CR')]"><xsl:value-of select="g:fail('FT1-6 is not CD in every line: charges and refunds go in messages of their own.')"/></xsl:if>
    <xsl:if test="FT1[FT1.2/FT1.2.1 != $first/FT1.2/FT1.2.1]"><xsl:value-of select="g:fail('FT1-2 differs within the message: one message is one refund.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <RefundNo><xsl:value-of select="$first/FT1.2/FT1.2.1"/></RefundNo>
      <OriginalChargeNo><xsl:call-template name="own-field"><xsl:with-param name="name" select="'OriginalChargeNo'"/></xsl:call-template></OriginalChargeNo>
      <RequisitionNo><xsl:value-of select="$first/FT1.23/FT1.23.1"/></RequisitionNo>
      <SourceSystem><xsl:call-template name="own-field"><xsl:with-param name="name" select="'SourceSystem'"/></xsl:call-template></SourceSystem>
      <Initiator>
        <xsl:variable name="initiator"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Initiator'"/></xsl:call-template></xsl:variable>
        <xsl:choose>
          <xsl:when test="$initiator != ''"><xsl:value-of select="$initiator"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="g:value('initiator')"/></xsl:otherwise>
        </xsl:choose>
      </Initiator>
      <ReasonCode>
        <xsl:variable name="reason"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReasonCode'"/></xsl:call-template></xsl:variable>
        <xsl:choose><xsl:when test="$reason != ''"><xsl:value-of select="$reason"/></xsl:when><xsl:otherwise>OTHER</xsl:otherwise></xsl:choose>
      </ReasonCode>
      <ReasonText><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReasonText'"/></xsl:call-template></ReasonText>
      <ApproverCode><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ApproverCode'"/></xsl:call-template></ApproverCode>
      <OccurredAt><xsl:value-of select="g:iso($first/FT1.4/FT1.4.1)"/></OccurredAt>
      <Lines>
        <xsl:for-each select="FT1">
          <xsl:variable name="more" select="following-sibling::ZFT[count(preceding-sibling::FT1) = count(current()/preceding-sibling::FT1) + 1][1]"/>
          <Line>
            <OriginalLineNo><xsl:choose><xsl:when test="FT1.1/FT1.1.1 != ''"><xsl:value-of select="FT1.1/FT1.1.1"/></xsl:when><xsl:otherwise><xsl:value-of select="position()"/></xsl:otherwise></xsl:choose></OriginalLineNo>
            <ChargeCode><xsl:value-of select="FT1.7/FT1.7.1"/></ChargeCode>
            <RefundQuantity><xsl:value-of select="translate(FT1.10/FT1.10.1, '-', '')"/></RefundQuantity>
            <RefundAmount><xsl:value-of select="translate(FT1.11/FT1.11.1/descendant-or-self::*[not(*)][1], '-', '')"/></RefundAmount>
            <RefundShare><xsl:value-of select="$more/ZFT.7/ZFT.7.1"/></RefundShare>
          </Line>
        </xsl:for-each>
      </Lines>
      <MoveToDeptCode><xsl:call-template name="own-field"><xsl:with-param name="name" select="'MoveToDeptCode'"/></xsl:call-template></MoveToDeptCode>
    </Request>
  </xsl:template>
</xsl:stylesheet>

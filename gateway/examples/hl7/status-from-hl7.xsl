<?xml version="1.0" encoding="UTF-8"?>
<!-- ORM, OMG, OML, ORG, ORR, ORL or ORU that says how far an order has come (ORC-1 SC, UA) to ReportStatus. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <xsl:template match="/HL7">
    <xsl:variable name="orc" select="ORC[1]"/>
    <xsl:variable name="control" select="$orc/ORC.1/ORC.1.1"/>
    <xsl:variable name="status" select="$orc/ORC.5/ORC.5.1"/>
    <xsl:variable name="result" select="OBR[1]/OBR.25/OBR.25.1"/>
    <xsl:if test="ORC[ORC.1/ORC.1.1 != $control or ORC.5/ORC.5.1 != $status]"><xsl:value-of select="g:fail('ORC-1 or ORC-5 differs within the message: send one message for each status.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <Event>
        <xsl:choose>
          <xsl:when test="$control = 'UA'">REJECT</xsl:when>
          <xsl:when test="$control != 'SC' and $control != 'RE' and $control != 'OC' and $control != 'OD'"><xsl:value-of select="g:fail('ORC-1 is none of SC, RE, OC, OD and UA.')"/></xsl:when>
          <xsl:when test="$control = 'OD' or $status = 'DC'">STOP</xsl:when>
          <xsl:when test="$control = 'OC' or $status = 'CA'">CANCEL_REG</xsl:when>
          <xsl:when test="$status = 'SC'">BOOK</xsl:when>
          <xsl:when test="$status = 'HD'">UNBOOK</xsl:when>
          <xsl:when test="$status = 'ER' or $result = 'X'">WITHDRAW</xsl:when>
          <xsl:when test="$status = 'A' or $result = 'P' or $result = 'A'">PRELIM</xsl:when>
          <xsl:when test="$status = 'CM' and ($result = 'F' or $result = 'C')">FINAL</xsl:when>
          <xsl:when test="$status = 'CM'">EXAM_DONE</xsl:when>
          <xsl:when test="$status = 'IP'">REGISTER</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('ORC-5 is none of SC, HD, IP, A, CM, DC, CA and ER.')"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <StatusSeq><xsl:value-of select="MSH/MSH.13/MSH.13.1"/></StatusSeq>
      <OccurredAt>
        <xsl:call-template name="first-time"><xsl:with-param name="times" select="OBR[1]/OBR.22/OBR.22.1 | $orc/ORC.9[not(/HL7/OBR[1]/OBR.22)]/ORC.9.1"/></xsl:call-template>
      </OccurredAt>
      <xsl:variable name="requisition"><xsl:call-template name="requisition-no"/></xsl:variable>
      <Items>
        <xsl:for-each select="OBR">
          <xsl:variable name="obr" select="."/>
          <xsl:variable name="orders"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="OBR.2 | preceding-sibling::ORC[1]/ORC.2[not($obr/OBR.2)]"/></xsl:call-template></xsl:variable>
          <xsl:for-each select="g:items($orders)[. != $requisition]">
            <Item>
              <ItemSeq><xsl:if test="count(g:items($orders)) = 1"><xsl:value-of select="$obr/OBR.19/OBR.19.1"/></xsl:if></ItemSeq>
              <OrderNo><xsl:value-of select="."/></OrderNo>
            </Item>
          </xsl:for-each>
          <xsl:if test="$orders = '' and OBR.19/OBR.19.1 != ''"><Item><ItemSeq><xsl:value-of select="OBR.19/OBR.19.1"/></ItemSeq></Item></xsl:if>
        </xsl:for-each>
      </Items>
      <AccessionNo><xsl:value-of select="(OBR[1]/OBR.18/OBR.18.1 | OBR[1]/OBR.3[not(../OBR.18)]/OBR.3.1)[1]"/></AccessionNo>
      <StudyNo><xsl:value-of select="(OBR[1]/OBR.3/OBR.3.1 | $orc/ORC.3[not(/HL7/OBR[1]/OBR.3)]/ORC.3.1)[1]"/></StudyNo>
      <Barcode><xsl:value-of select="(SPM[1]/SPM.2/SPM.2.1/SPM.2.1.1 | SPM[1]/SPM.2/SPM.2.1[not(*)])[1]"/></Barcode>
      <DeviceCode><xsl:value-of select="$orc/ORC.18/ORC.18.1"/></DeviceCode>
      <Room><xsl:value-of select="$orc/ORC.13/ORC.13.2"/></Room>
      <PerformerCode><xsl:value-of select="$orc/ORC.19[1]/ORC.19.1"/></PerformerCode>
      <PerformerName><xsl:value-of select="concat($orc/ORC.19[1]/ORC.19.2, $orc/ORC.19[1]/ORC.19.3)"/></PerformerName>
      <ScheduledAt><xsl:value-of select="g:iso(OBR[1]/OBR.36/OBR.36.1)"/></ScheduledAt>
      <Reason><xsl:value-of select="($orc/ORC.16/ORC.16.2 | $orc/ORC.16[not(ORC.16.2)]/ORC.16.1)[1]"/></Reason>
    </Request>
  </xsl:template>
</xsl:stylesheet>

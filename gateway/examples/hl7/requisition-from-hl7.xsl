<?xml version="1.0" encoding="UTF-8"?>
<!-- ORM^O01, OMG^O19 and OML^O21 to SubmitRequisition: one requisition, an item for each OBR. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="from-hl7.xsl"/>

  <xsl:template match="/HL7">
    <xsl:variable name="orc" select="ORC[1]"/>
    <xsl:variable name="control" select="$orc/ORC.1/ORC.1.1"/>
    <xsl:if test="ORC[ORC.1/ORC.1.1 != $control]"><xsl:value-of select="g:fail('ORC-1 differs within the message: one requisition is new, changed or cancelled as a whole.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <Action>
        <xsl:choose>
          <xsl:when test="$control = 'NW'">NEW</xsl:when>
          <xsl:when test="$control = 'XO' or $control = 'XX'">UPDATE</xsl:when>
          <xsl:when test="$control = 'CA' or $control = 'OC'">CANCEL</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('ORC-1 is none of NW, XO and CA.')"/></xsl:otherwise>
        </xsl:choose>
      </Action>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <RequisitionType><xsl:call-template name="requisition-type"/></RequisitionType>
      <xsl:call-template name="patient"/>
      <xsl:call-template name="visit"/>
      <ReleaseEvent>
        <xsl:variable name="told"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReleaseEvent'"/></xsl:call-template></xsl:variable>
        <xsl:choose>
          <xsl:when test="$told != ''"><xsl:value-of select="$told"/></xsl:when>
          <xsl:when test="PV1[1]/PV1.2/PV1.2.1 = 'I'"><xsl:value-of select="g:value('inpatient_release')"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="g:value('outpatient_release')"/></xsl:otherwise>
        </xsl:choose>
      </ReleaseEvent>
      <PaidAt>
        <xsl:variable name="paid"><xsl:call-template name="own-field"><xsl:with-param name="name" select="'PaidAt'"/></xsl:call-template></xsl:variable>
        <xsl:value-of select="g:iso($paid)"/>
      </PaidAt>
      <ReceiptNo><xsl:call-template name="own-field"><xsl:with-param name="name" select="'ReceiptNo'"/></xsl:call-template></ReceiptNo>
      <Priority>
        <xsl:variable name="priority" select="($orc/ORC.7/ORC.7.6 | OBR[1]/OBR.27/OBR.27.6 | OBR[1]/OBR.5/OBR.5.1 | TQ1[1]/TQ1.9/TQ1.9.1)[1]"/>
        <xsl:choose>
          <xsl:when test="$priority = 'S'">STAT</xsl:when>
          <xsl:when test="$priority = 'A' or $priority = 'U'">URGENT</xsl:when>
          <xsl:otherwise>ROUTINE</xsl:otherwise>
        </xsl:choose>
      </Priority>
      <OrderingDeptCode><xsl:value-of select="($orc/ORC.17/ORC.17.1 | PV1[1]/PV1.10[not($orc/ORC.17/ORC.17.1)]/PV1.10.1)[1]"/></OrderingDeptCode>
      <OrderingDeptName><xsl:value-of select="$orc/ORC.17/ORC.17.2"/></OrderingDeptName>
      <xsl:variable name="doctor" select="($orc/ORC.12 | OBR[1]/OBR.16[not($orc/ORC.12)])[1]"/>
      <OrderingDoctorCode><xsl:value-of select="$doctor/*[1]"/></OrderingDoctorCode>
      <OrderingDoctorName><xsl:value-of select="concat($doctor/*[substring-after(substring-after(name(), '.'), '.') = '2'], $doctor/*[substring-after(substring-after(name(), '.'), '.') = '3'])"/></OrderingDoctorName>
      <OrderedAt>
        <xsl:call-template name="first-time"><xsl:with-param name="times" select="$orc/ORC.9/ORC.9.1 | OBR[1]/OBR.6[not($orc/ORC.9)]/OBR.6.1"/></xsl:call-template>
      </OrderedAt>
      <PerformDeptCode>
        <xsl:choose>
          <xsl:when test="OBR[1]/OBR.21/OBR.21.1 != ''"><xsl:value-of select="OBR[1]/OBR.21/OBR.21.1"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="g:value('perform_dept')"/></xsl:otherwise>
        </xsl:choose>
      </PerformDeptCode>
      <PerformDeptName><xsl:value-of select="OBR[1]/OBR.21/OBR.21.2"/></PerformDeptName>
      <ClinicalSummary><xsl:value-of select="OBR[1]/OBR.13/OBR.13.1"/></ClinicalSummary>
      <Symptoms><xsl:call-template name="notes"><xsl:with-param name="notes" select="NTE[NTE.4/NTE.4.1 = 'SYM']"/></xsl:call-template></Symptoms>
      <Purpose><xsl:value-of select="(OBR[1]/OBR.31/OBR.31.2 | OBR[1]/OBR.31[not(OBR.31.2)]/OBR.31.1)[1]"/></Purpose>
      <Allergy>
        <xsl:for-each select="AL1">
          <xsl:if test="position() > 1">；</xsl:if>
          <xsl:value-of select="(AL1.3/AL1.3.2 | AL1.3[not(AL1.3.2)]/AL1.3.1)[1]"/>
        </xsl:for-each>
      </Allergy>
      <Precautions><xsl:call-template name="notes"><xsl:with-param name="notes" select="NTE[not(NTE.4/NTE.4.1 = 'SYM')]"/></xsl:call-template></Precautions>
      <Pregnant><xsl:choose><xsl:when test="PV1[1]/PV1.15/PV1.15.1 = 'B6'">true</xsl:when><xsl:otherwise><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Pregnant'"/></xsl:call-template></xsl:otherwise></xsl:choose></Pregnant>
      <Infectious><xsl:choose><xsl:when test="OBR[1]/OBR.12/* != ''">true</xsl:when><xsl:otherwise><xsl:call-template name="own-field"><xsl:with-param name="name" select="'Infectious'"/></xsl:call-template></xsl:otherwise></xsl:choose></Infectious>
      <Diagnoses>
        <xsl:for-each select="DG1">
          <Diagnosis>
            <Code><xsl:value-of select="DG1.3/DG1.3.1"/></Code>
            <Name><xsl:value-of select="(DG1.3/DG1.3.2 | DG1.4[not(../DG1.3/DG1.3.2)]/DG1.4.1)[1]"/></Name>
            <Type>
              <xsl:choose>
                <xsl:when test="DG1.3/DG1.3.3 = 'TCM'">TCM</xsl:when>
                <xsl:when test="DG1.15/DG1.15.1 = '1' or (not(../DG1/DG1.15) and position() = 1)">MAIN</xsl:when>
                <xsl:otherwise>OTHER</xsl:otherwise>
              </xsl:choose>
            </Type>
          </Diagnosis>
        </xsl:for-each>
      </Diagnoses>
      <Items><xsl:apply-templates select="OBR"/></Items>
      <CancelReason><xsl:if test="$control = 'CA' or $control = 'OC'"><xsl:value-of select="($orc/ORC.16/ORC.16.2 | $orc/ORC.16[not(ORC.16.2)]/ORC.16.1)[1]"/></xsl:if></CancelReason>
    </Request>
  </xsl:template>

  <xsl:template name="notes">
    <xsl:param name="notes"/>
    <xsl:for-each select="$notes/NTE.3">
      <xsl:if test="position() > 1"><xsl:text>&#10;</xsl:text></xsl:if>
      <xsl:value-of select="NTE.3.1"/>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="OBR">
    <xsl:variable name="obr" select="."/>
    <xsl:variable name="before" select="count(preceding-sibling::OBR)"/>
    <xsl:variable name="orc" select="preceding-sibling::ORC[1]"/>
    <xsl:variable name="orders"><xsl:call-template name="order-numbers"><xsl:with-param name="field" select="OBR.2 | $orc/ORC.2[not($obr/OBR.2)]"/></xsl:call-template></xsl:variable>
    <xsl:variable name="several" select="count(g:items($orders)) > 1"/>
    <xsl:for-each select="g:items($orders)">
      <xsl:variable name="part" select="position()"/>
      <Item>
        <ItemSeq>
          <xsl:choose>
            <xsl:when test="not($several) and $obr/OBR.19/OBR.19.1 != ''"><xsl:value-of select="$obr/OBR.19/OBR.19.1"/></xsl:when>
            <xsl:when test="$several and count($obr/../OBR) > 1"><xsl:value-of select="g:fail('OBR-2 holds several orders and there are several OBR: give one OBR for each order.')"/></xsl:when>
            <xsl:otherwise><xsl:value-of select="$before + $part"/></xsl:otherwise>
          </xsl:choose>
        </ItemSeq>
        <OrderNo><xsl:value-of select="."/></OrderNo>
        <xsl:variable name="code" select="$obr/OBR.4/OBR.4.1"/>
        <xsl:choose>
          <!-- With several orders the codes and names are lists of the same length. -->
          <xsl:when test="$several">
            <ItemCode><xsl:value-of select="g:item(translate($code, ',，', '^^'), $part)"/></ItemCode>
            <ItemName><xsl:value-of select="g:item(translate($obr/OBR.4/OBR.4.2, ',，', '^^'), $part)"/></ItemName>
          </xsl:when>
          <xsl:otherwise>
            <ItemCode><xsl:value-of select="$code"/></ItemCode>
            <ItemName><xsl:value-of select="$obr/OBR.4/OBR.4.2"/></ItemName>
          </xsl:otherwise>
        </xsl:choose>
        <xsl:for-each select="$obr"><xsl:call-template name="details"/></xsl:for-each>
      </Item>
    </xsl:for-each>
  </xsl:template>

  <!-- What belongs to an OBR: its own fields, and SPM and FT1 that follow before the next order. -->
  <xsl:template name="details">
    <xsl:variable name="place" select="count(preceding-sibling::OBR) + 1"/>
    <xsl:variable name="specimen" select="following-sibling::SPM[count(preceding-sibling::OBR) = $place][1]"/>
    <PackageCode><xsl:value-of select="OBR.46[1]/OBR.46.1"/></PackageCode>
    <PackageName><xsl:value-of select="OBR.46[1]/OBR.46.2"/></PackageName>
    <BodyPartCode><xsl:value-of select="(OBR.15/OBR.15.4/OBR.15.4.1 | OBR.15/OBR.15.4[not(*)])[1]"/></BodyPartCode>
    <BodyPartName><xsl:value-of select="OBR.15/OBR.15.4/OBR.15.4.2"/></BodyPartName>
    <Method><xsl:value-of select="OBR.15/OBR.15.3"/></Method>
    <SpecimenCode><xsl:value-of select="($specimen/SPM.4/SPM.4.1 | OBR.15[not($specimen)]/OBR.15.1/OBR.15.1.1 | OBR.15[not($specimen)]/OBR.15.1[not(*)])[1]"/></SpecimenCode>
    <SpecimenName><xsl:value-of select="($specimen/SPM.4/SPM.4.2 | OBR.15[not($specimen)]/OBR.15.1/OBR.15.1.2)[1]"/></SpecimenName>
    <ContainerCode><xsl:value-of select="$specimen/SPM.27/SPM.27.1"/></ContainerCode>
    <Barcode><xsl:value-of select="($specimen/SPM.2/SPM.2.1/SPM.2.1.1 | $specimen/SPM.2/SPM.2.1[not(*)])[1]"/></Barcode>
    <Quantity><xsl:choose><xsl:when test="OBR.27/OBR.27.1 != ''"><xsl:value-of select="OBR.27/OBR.27.1"/></xsl:when><xsl:otherwise>1</xsl:otherwise></xsl:choose></Quantity>
    <xsl:variable name="own" select="following-sibling::OBX[count(preceding-sibling::OBR) = $place and OBX.3/OBX.3.3 = '99HG']"/>
    <UnitPrice><xsl:value-of select="$own[OBX.3/OBX.3.1 = 'UnitPrice'][1]/OBX.5/OBX.5.1"/></UnitPrice>
    <Amount><xsl:value-of select="$own[OBX.3/OBX.3.1 = 'Amount'][1]/OBX.5/OBX.5.1"/></Amount>
    <xsl:variable name="charges" select="following-sibling::FT1[count(preceding-sibling::OBR) = $place]"/>
    <ChargeItems>
      <xsl:for-each select="$charges">
        <ChargeItem>
          <ChargeCode><xsl:value-of select="FT1.7/FT1.7.1"/></ChargeCode>
          <InsuranceCode><xsl:value-of select="FT1.25/FT1.25.1"/></InsuranceCode>
          <ItemName><xsl:value-of select="(FT1.7/FT1.7.2 | FT1.8[not(../FT1.7/FT1.7.2)]/FT1.8.1)[1]"/></ItemName>
          <Unit><xsl:value-of select="FT1.9/FT1.9.1"/></Unit>
          <Quantity><xsl:value-of select="FT1.10/FT1.10.1"/></Quantity>
          <UnitPrice><xsl:value-of select="FT1.12/FT1.12.1/descendant-or-self::*[not(*)][1]"/></UnitPrice>
          <Amount><xsl:value-of select="FT1.11/FT1.11.1/descendant-or-self::*[not(*)][1]"/></Amount>
        </ChargeItem>
      </xsl:for-each>
    </ChargeItems>
  </xsl:template>
</xsl:stylesheet>

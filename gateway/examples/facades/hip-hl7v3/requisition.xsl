<?xml version="1.0" encoding="UTF-8"?>
<!-- POOR_IN200901UV and POOR_IN200902UV to our requisition. A change and a cancellation hold the whole requisition, as a new one does. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:variable name="function" select="g:value('function')"/>
  <!-- The request that carries the number of the requisition; its items are requests below it. -->
  <xsl:variable name="requested" select="(//observationRequest[not(ancestor::observationRequest)])[1]"/>
  <xsl:variable name="patient" select="(//patient)[1]"/>
  <xsl:variable name="encounter" select="(//componentOf1/encounter)[1]"/>
  <xsl:variable name="author" select="(//author/assignedEntity)[1]"/>
  <xsl:variable name="performer" select="($requested//performer/assignedEntity | //performer/assignedEntity)[1]"/>
  <xsl:variable name="kind" select="normalize-space($encounter/code/@code)"/>

  <xsl:template match="/POOR_IN200901UV | /POOR_IN200902UV" priority="1">
    <Request>
      <xsl:call-template name="header"/>
      <Action>
        <xsl:choose>
          <xsl:when test="self::POOR_IN200901UV">NEW</xsl:when>
          <xsl:when test="$requested/statusCode/@code = 'aborted' or $requested/statusCode/@code = 'cancelled' or $requested/statusCode/@code = 'nullified'">CANCEL</xsl:when>
          <xsl:otherwise>UPDATE</xsl:otherwise>
        </xsl:choose>
      </Action>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <RequisitionType>
        <xsl:choose>
          <xsl:when test="starts-with($function, 'Exam')">LAB</xsl:when>
          <xsl:when test="starts-with($function, 'Pathology')">PATH</xsl:when>
          <xsl:when test="starts-with($function, 'Operation')">OP</xsl:when>
          <xsl:otherwise>EXAM</xsl:otherwise>
        </xsl:choose>
      </RequisitionType>
      <xsl:call-template name="patient"><xsl:with-param name="of" select="$patient"/></xsl:call-template>
      <xsl:call-template name="visit"/>
      <xsl:call-template name="release"/>
      <Priority>
        <xsl:variable name="urgency" select="normalize-space($requested/priorityCode/@code)"/>
        <xsl:choose>
          <xsl:when test="$urgency = '2' or $urgency = 'UR' or $urgency = 'A'">URGENT</xsl:when>
          <xsl:when test="$urgency = '3' or $urgency = 'S' or $urgency = 'EM'">STAT</xsl:when>
          <xsl:otherwise>ROUTINE</xsl:otherwise>
        </xsl:choose>
      </Priority>
      <OrderingDeptCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$author/representedOrganization"/></xsl:call-template></OrderingDeptCode>
      <OrderingDeptName><xsl:call-template name="name"><xsl:with-param name="of" select="$author/representedOrganization"/></xsl:call-template></OrderingDeptName>
      <OrderingDoctorCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$author"/></xsl:call-template></OrderingDoctorCode>
      <OrderingDoctorName><xsl:call-template name="name"><xsl:with-param name="of" select="$author/assignedPerson"/></xsl:call-template></OrderingDoctorName>
      <OrderedAt><xsl:value-of select="g:iso(((//author)[1]/time/@value | $requested/effectiveTime/@value | $requested/effectiveTime/low/@value)[1])"/></OrderedAt>
      <PerformDeptCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$performer/representedOrganization"/></xsl:call-template></PerformDeptCode>
      <PerformDeptName><xsl:call-template name="name"><xsl:with-param name="of" select="$performer/representedOrganization"/></xsl:call-template></PerformDeptName>
      <Purpose><xsl:value-of select="$requested/text/@value | $requested/text[not(@value)]"/></Purpose>
      <Symptoms><xsl:value-of select="(//observationRequest/reasonCode[@code = '']/originalText/@value | //annotation[code/@code = 'SYMPTOM']/text/@value)[1]"/></Symptoms>
      <ClinicalSummary><xsl:value-of select="(//annotation[not(code/@code = 'SYMPTOM')]/text/@value)[1]"/></ClinicalSummary>
      <Diagnoses>
        <xsl:for-each select="$encounter/pertinentInformation1/observationDx | //pertinentInformation1[not(ancestor::encounter)]/observationDx">
          <Diagnosis>
            <Code><xsl:value-of select="normalize-space(value/@code)"/></Code>
            <Name><xsl:value-of select="(value/displayName/@value | value/@displayName)[1]"/></Name>
            <Type><xsl:choose><xsl:when test="position() = 1">MAIN</xsl:when><xsl:otherwise>OTHER</xsl:otherwise></xsl:choose></Type>
          </Diagnosis>
        </xsl:for-each>
      </Diagnoses>
      <Items>
        <xsl:for-each select="$requested//component2/observationRequest | //component2[not(ancestor::observationRequest)]/observationRequest[not(generate-id() = generate-id($requested))]">
          <xsl:call-template name="item"/>
        </xsl:for-each>
      </Items>
      <CancelReason><xsl:value-of select="($requested/reasonCode/item/displayName/@value | $requested/statusCode/originalText/@value)[1]"/></CancelReason>
    </Request>
  </xsl:template>

  <xsl:template match="/*">
    <xsl:value-of select="g:fail('This is neither POOR_IN200901UV nor POOR_IN200902UV.')"/>
  </xsl:template>

  <xsl:template name="visit">
    <xsl:variable name="place" select="($encounter/location//serviceProviderOrganization | $encounter/location//healthCareFacility)[1]"/>
    <Visit>
      <VisitType>
        <xsl:choose>
          <xsl:when test="$kind = '01' or $kind = '1'">1</xsl:when>
          <xsl:when test="$kind = '02' or $kind = '2'">2</xsl:when>
          <xsl:when test="$kind = '03' or $kind = '3'">3</xsl:when>
          <xsl:when test="$kind = '04' or $kind = '9'">9</xsl:when>
          <xsl:otherwise><xsl:value-of select="$kind"/></xsl:otherwise>
        </xsl:choose>
      </VisitType>
      <VisitNo><xsl:call-template name="extension"><xsl:with-param name="of" select="$encounter"/><xsl:with-param name="root" select="'2.16.156.10011.1.12'"/></xsl:call-template></VisitNo>
      <VisitSeq><xsl:call-template name="extension"><xsl:with-param name="of" select="$encounter"/><xsl:with-param name="root" select="'2.16.156.10011.2.5.1.8'"/><xsl:with-param name="strict" select="true()"/></xsl:call-template></VisitSeq>
      <DeptCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$author/representedOrganization"/></xsl:call-template></DeptCode>
      <DeptName><xsl:call-template name="name"><xsl:with-param name="of" select="$author/representedOrganization"/></xsl:call-template></DeptName>
      <WardCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$place//asOrganizationPartOf[@classCode = 'WARD']/wholeOrganization | $place//wholeOrganization[@classCode = 'WARD']"/></xsl:call-template></WardCode>
      <BedNo><xsl:value-of select="normalize-space(($encounter/location//location/id/item/@extension | $encounter/location//location/id/@extension)[1])"/></BedNo>
    </Visit>
  </xsl:template>

  <!-- Why it may be performed: said by reasonCode in our words; a ward's requisition comes when the nurse has sent it; any other is held
       until it is paid, which a POOR_IN200902UV with reasonCode PAID tells. -->
  <xsl:template name="release">
    <xsl:variable name="said" select="normalize-space($requested/reasonCode/item/@code)"/>
    <ReleaseEvent>
      <xsl:choose>
        <xsl:when test="$said = 'PAID' or $said = 'NURSE_SENT' or $said = 'GREEN_CHANNEL' or $said = 'PREPAID_CARD' or $said = 'HEALTH_CHECK'"><xsl:value-of select="$said"/></xsl:when>
        <xsl:when test="$kind = '03' or $kind = '3'">NURSE_SENT</xsl:when>
      </xsl:choose>
    </ReleaseEvent>
  </xsl:template>

  <xsl:template name="item">
    <xsl:variable name="number"><xsl:call-template name="extension"><xsl:with-param name="of" select="."/></xsl:call-template></xsl:variable>
    <Item>
      <ItemSeq><xsl:value-of select="position()"/></ItemSeq>
      <OrderNo><xsl:value-of select="$number"/></OrderNo>
      <ItemCode><xsl:value-of select="normalize-space(code/@code)"/></ItemCode>
      <ItemName><xsl:value-of select="(code/displayName/@value | code/@displayName)[1]"/></ItemName>
      <BodyPartCode><xsl:value-of select="normalize-space((targetSiteCode/item/@code | targetSiteCode/@code)[1])"/></BodyPartCode>
      <BodyPartName><xsl:value-of select="(targetSiteCode/item/displayName/@value | targetSiteCode/displayName/@value)[1]"/></BodyPartName>
      <Method><xsl:value-of select="(methodCode/item/displayName/@value | methodCode/displayName/@value)[1]"/></Method>
      <SpecimenCode><xsl:value-of select="normalize-space((.//specimenNatural/code/@code)[1])"/></SpecimenCode>
      <SpecimenName><xsl:value-of select="(.//specimenNatural/code/displayName/@value)[1]"/></SpecimenName>
      <Barcode><xsl:value-of select="normalize-space((.//specimen/id/@extension | .//specimen/id/item/@extension)[1])"/></Barcode>
      <Quantity><xsl:choose><xsl:when test="repeatNumber/@value"><xsl:value-of select="repeatNumber/@value"/></xsl:when><xsl:otherwise>1</xsl:otherwise></xsl:choose></Quantity>
    </Item>
  </xsl:template>
</xsl:stylesheet>

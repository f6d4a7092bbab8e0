<?xml version="1.0" encoding="UTF-8"?>
<!-- It wants to know of every specimen where it was taken; what our requisition does not say is 未注明. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns="http://tempuri.org/" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <SendAplication>
      <aplication>
        <MsgNo><xsl:value-of select="g:value('message_id')"/></MsgNo>
        <AplyNo><xsl:value-of select="RequisitionNo"/></AplyNo>
        <PatientID><xsl:value-of select="Patient/PatientId"/></PatientID>
        <Name><xsl:value-of select="Patient/PatientName"/></Name>
        <Sex><xsl:value-of select="Patient/SexCode"/></Sex>
        <InHospitalNo><xsl:value-of select="Visit/VisitNo"/></InHospitalNo>
        <ClinicDiagnosis><xsl:value-of select="Diagnoses/Diagnosis[Type = 'MAIN']/Name"/></ClinicDiagnosis>
        <IsFrozen><xsl:value-of select="boolean(Items/Item[contains(ItemName, '冰冻')])"/></IsFrozen>
        <AplyTime><xsl:value-of select="OrderedAt"/></AplyTime>
        <Specimens>
          <xsl:for-each select="Items/Item">
            <Specimen>
              <No><xsl:value-of select="ItemSeq"/></No>
              <OrderNo><xsl:value-of select="OrderNo"/></OrderNo>
              <ItemCode><xsl:value-of select="ItemCode"/></ItemCode>
              <ItemName><xsl:value-of select="ItemName"/></ItemName>
              <SpecimenName><xsl:value-of select="SpecimenName"/></SpecimenName>
              <Position><xsl:choose><xsl:when test="BodyPartName != ''"><xsl:value-of select="BodyPartName"/></xsl:when><xsl:otherwise>未注明</xsl:otherwise></xsl:choose></Position>
            </Specimen>
          </xsl:for-each>
        </Specimens>
      </aplication>
    </SendAplication>
  </xsl:template>
</xsl:stylesheet>

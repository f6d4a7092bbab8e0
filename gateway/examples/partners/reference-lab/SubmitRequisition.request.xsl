<?xml version="1.0" encoding="UTF-8"?>
<!-- Of the patient goes out the family name with a mask, the sex and the hospital's own numbers: no more is needed. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Input>
      <MsgId><xsl:value-of select="g:value('message_id')"/></MsgId>
      <HospOrderNo><xsl:value-of select="RequisitionNo"/></HospOrderNo>
      <Patient>
        <Id><xsl:value-of select="Patient/PatientId"/></Id>
        <Name><xsl:value-of select="concat(substring(Patient/PatientName, 1, 1), '**')"/></Name>
        <Sex><xsl:value-of select="Patient/SexCode"/></Sex>
        <VisitNo><xsl:value-of select="Visit/VisitNo"/></VisitNo>
      </Patient>
      <xsl:if test="Action != 'CANCEL'">
        <Tests>
          <xsl:for-each select="Items/Item">
            <Test>
              <LabCode><xsl:value-of select="g:code('item', ItemCode)"/></LabCode>
              <Barcode><xsl:value-of select="Barcode"/></Barcode>
            </Test>
          </xsl:for-each>
        </Tests>
      </xsl:if>
    </Input>
  </xsl:template>
</xsl:stylesheet>

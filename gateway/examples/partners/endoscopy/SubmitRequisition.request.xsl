<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <APPLY>
      <APPLY_NO><xsl:value-of select="RequisitionNo"/></APPLY_NO>
      <PATIENT_ID><xsl:value-of select="Patient/PatientId"/></PATIENT_ID>
      <PATIENT_NAME><xsl:value-of select="Patient/PatientName"/></PATIENT_NAME>
      <SEX><xsl:choose><xsl:when test="Patient/SexCode = '1'">M</xsl:when><xsl:when test="Patient/SexCode = '2'">F</xsl:when><xsl:otherwise>U</xsl:otherwise></xsl:choose></SEX>
      <BIRTHDAY><xsl:value-of select="g:date(Patient/BirthDate, 'yyyy/MM/dd')"/></BIRTHDAY>
      <VISIT_NO><xsl:value-of select="Visit/VisitNo"/></VISIT_NO>
      <VISIT_TYPE><xsl:value-of select="translate(Visit/VisitType, '1239', 'OEIX')"/></VISIT_TYPE>
      <BED_NO><xsl:value-of select="Visit/BedNo"/></BED_NO>
      <APPLY_DOCTOR><xsl:value-of select="OrderingDoctorCode"/></APPLY_DOCTOR>
      <APPLY_TIME><xsl:value-of select="g:date(OrderedAt, 'yyyy/MM/dd HH:mm:ss')"/></APPLY_TIME>
      <ALLERGY><xsl:value-of select="Allergy"/></ALLERGY>
      <ITEMS>
        <xsl:for-each select="Items/Item"><ROW ORDER_NO="{OrderNo}" ITEM_CODE="{ItemCode}" ITEM_NAME="{ItemName}"/></xsl:for-each>
      </ITEMS>
    </APPLY>
  </xsl:template>
</xsl:stylesheet>

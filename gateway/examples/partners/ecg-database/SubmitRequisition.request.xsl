<?xml version="1.0" encoding="UTF-8"?>
<!-- A row for the request; a change writes over it. It takes one item. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xsl:if test="count(Items/Item) &gt; 1"><xsl:value-of select="g:fail('The ECG system takes requisitions of one item.')"/></xsl:if>
    <Rows>
      <merge table="ECG_APPLY">
        <key><APPLY_NO><xsl:value-of select="RequisitionNo"/></APPLY_NO></key>
        <PATIENT_ID><xsl:value-of select="Patient/PatientId"/></PATIENT_ID>
        <PATIENT_NAME><xsl:value-of select="Patient/PatientName"/></PATIENT_NAME>
        <SEX><xsl:value-of select="Patient/SexCode"/></SEX>
        <VISIT_NO><xsl:value-of select="Visit/VisitNo"/></VISIT_NO>
        <ORDER_NO><xsl:value-of select="Items/Item/OrderNo"/></ORDER_NO>
        <ITEM_CODE><xsl:value-of select="Items/Item/ItemCode"/></ITEM_CODE>
        <ITEM_NAME><xsl:value-of select="Items/Item/ItemName"/></ITEM_NAME>
        <APPLY_TIME><xsl:value-of select="OrderedAt"/></APPLY_TIME>
        <STATE>0</STATE>
      </merge>
    </Rows>
  </xsl:template>
</xsl:stylesheet>

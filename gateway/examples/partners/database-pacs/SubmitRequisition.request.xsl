<?xml version="1.0" encoding="UTF-8"?>
<!-- A requisition as rows: one of the requisition, one of each item. CANCEL only sets the state. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Rows>
      <xsl:choose>
        <xsl:when test="Action = 'CANCEL'">
          <update table="EXAM_REQUEST" rows="1">
            <where><REQUEST_NO><xsl:value-of select="RequisitionNo"/></REQUEST_NO></where>
            <STATE>C</STATE>
            <FLAG>0</FLAG>
            <MSG null="true"/>
          </update>
        </xsl:when>
        <xsl:otherwise>
          <merge table="EXAM_REQUEST">
            <key><REQUEST_NO><xsl:value-of select="RequisitionNo"/></REQUEST_NO></key>
            <STATE>N</STATE>
            <FLAG>0</FLAG>
            <MSG null="true"/>
            <PATIENT_ID><xsl:value-of select="Patient/PatientId"/></PATIENT_ID>
            <PATIENT_NAME><xsl:value-of select="Patient/PatientName"/></PATIENT_NAME>
            <SEX><xsl:value-of select="Patient/SexCode"/></SEX>
            <BIRTH_DATE><xsl:value-of select="Patient/BirthDate"/></BIRTH_DATE>
            <VISIT_TYPE><xsl:value-of select="Visit/VisitType"/></VISIT_TYPE>
            <VISIT_NO><xsl:value-of select="Visit/VisitNo"/></VISIT_NO>
            <BED_NO><xsl:value-of select="Visit/BedNo"/></BED_NO>
            <ORDER_DEPT><xsl:value-of select="OrderingDeptCode"/></ORDER_DEPT>
            <DOCTOR_CODE><xsl:value-of select="OrderingDoctorCode"/></DOCTOR_CODE>
            <DOCTOR_NAME><xsl:value-of select="OrderingDoctorName"/></DOCTOR_NAME>
            <ORDERED_AT><xsl:value-of select="OrderedAt"/></ORDERED_AT>
            <URGENT><xsl:value-of select="number(Priority != 'ROUTINE')"/></URGENT>
            <SUMMARY><xsl:value-of select="ClinicalSummary"/></SUMMARY>
          </merge>
          <xsl:for-each select="Items/Item">
            <merge table="EXAM_REQUEST_ITEM">
              <key>
                <REQUEST_NO><xsl:value-of select="/Request/RequisitionNo"/></REQUEST_NO>
                <ITEM_SEQ><xsl:value-of select="ItemSeq"/></ITEM_SEQ>
              </key>
              <ITEM_CODE><xsl:value-of select="ItemCode"/></ITEM_CODE>
              <ITEM_NAME><xsl:value-of select="ItemName"/></ITEM_NAME>
              <BODY_PART><xsl:value-of select="BodyPartName"/></BODY_PART>
              <QUANTITY><xsl:value-of select="Quantity"/></QUANTITY>
              <PRICE><xsl:value-of select="UnitPrice"/></PRICE>
            </merge>
          </xsl:for-each>
        </xsl:otherwise>
      </xsl:choose>
      <await table="EXAM_REQUEST" until="FLAG" every="0.2">
        <values>1 2</values>
        <columns>MSG</columns>
        <where><REQUEST_NO><xsl:value-of select="RequisitionNo"/></REQUEST_NO></where>
      </await>
    </Rows>
  </xsl:template>
</xsl:stylesheet>

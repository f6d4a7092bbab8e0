<?xml version="1.0" encoding="UTF-8"?>
<!-- The wrapper is in its namespace, what stands in it is in none, as rpc wants it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns:o="http://oper.anes.example.com" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <o:addOperationApply>
      <messageId><xsl:value-of select="g:value('message_id')"/></messageId>
      <apply>
        <applyNo><xsl:value-of select="RequisitionNo"/></applyNo>
        <patientId><xsl:value-of select="Patient/PatientId"/></patientId>
        <patientName><xsl:value-of select="Patient/PatientName"/></patientName>
        <sex><xsl:value-of select="Patient/SexCode"/></sex>
        <visitNo><xsl:value-of select="Visit/VisitNo"/></visitNo>
        <bedNo><xsl:value-of select="Visit/BedNo"/></bedNo>
        <operationCodes><xsl:value-of select="g:join(Items/Item/ItemCode, ',')"/></operationCodes>
        <operationNames><xsl:value-of select="g:join(Items/Item/ItemName, ',')"/></operationNames>
        <orderIds><xsl:value-of select="g:join(Items/Item/OrderNo, ',')"/></orderIds>
        <surgeon><xsl:value-of select="OrderingDoctorName"/></surgeon>
        <diagnosis><xsl:value-of select="Diagnoses/Diagnosis[Type = 'MAIN']/Name"/></diagnosis>
        <applyTime><xsl:value-of select="OrderedAt"/></applyTime>
      </apply>
    </o:addOperationApply>
  </xsl:template>
</xsl:stylesheet>

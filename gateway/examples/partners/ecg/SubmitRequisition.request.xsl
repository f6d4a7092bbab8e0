<?xml version="1.0" encoding="UTF-8"?>
<!-- It takes one item; a requisition with more cannot be sent there. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xsl:if test="Action != 'CANCEL' and count(Items/Item) &gt; 1"><xsl:value-of select="g:fail('The ECG system takes requisitions of one item.')"/></xsl:if>
    <Request>
      <MessageID><xsl:value-of select="g:value('message_id')"/></MessageID>
      <RequestID><xsl:value-of select="RequisitionNo"/></RequestID>
      <OrderID><xsl:value-of select="Items/Item/OrderNo"/></OrderID>
      <ItemCode><xsl:value-of select="Items/Item/ItemCode"/></ItemCode>
      <ItemName><xsl:value-of select="Items/Item/ItemName"/></ItemName>
      <PatientID><xsl:value-of select="Patient/PatientId"/></PatientID>
      <PatientName><xsl:value-of select="Patient/PatientName"/></PatientName>
      <Gender><xsl:value-of select="Patient/SexCode"/></Gender>
      <Age><xsl:value-of select="Patient/AgeText"/></Age>
      <VisitID><xsl:value-of select="Visit/VisitNo"/></VisitID>
      <VisitType><xsl:value-of select="Visit/VisitType"/></VisitType>
      <RequestTime><xsl:value-of select="g:date(OrderedAt, 'yyyyMMddHHmmss')"/></RequestTime>
    </Request>
  </xsl:template>
</xsl:stylesheet>

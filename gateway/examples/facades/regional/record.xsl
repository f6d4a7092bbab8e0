<?xml version="1.0" encoding="UTF-8"?>
<!-- One visit of a patient, or the visit of a requisition; without either the latest. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xsl:variable name="query" select="MessageBody/Query"/>
    <Request>
      <Header>
        <MessageId><xsl:value-of select="normalize-space(MessageHeader/MessageId)"/></MessageId>
        <SentAt><xsl:value-of select="g:iso(MessageHeader/SendTime)"/></SentAt>
      </Header>
      <PatientId><xsl:value-of select="normalize-space($query/PatientId)"/></PatientId>
      <EmpiId><xsl:value-of select="normalize-space($query/EmpiId)"/></EmpiId>
      <RequisitionNo><xsl:value-of select="normalize-space($query/RequisitionNo)"/></RequisitionNo>
      <VisitNo><xsl:value-of select="normalize-space($query/VisitNo)"/></VisitNo>
      <Scope>THIS_VISIT</Scope>
      <IncludeOrders>false</IncludeOrders>
      <Purpose>REGIONAL</Purpose>
      <AuthorizationNo><xsl:value-of select="normalize-space($query/AuthorizationNo)"/></AuthorizationNo>
    </Request>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="envelope.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"><xsl:with-param name="service">C0001</xsl:with-param></xsl:call-template>
      <MessageBody>
        <Visit>
          <EventNo><xsl:value-of select="EventNo"/></EventNo>
          <Event><xsl:value-of select="Event"/></Event>
          <VisitNo><xsl:value-of select="Visit/VisitNo"/></VisitNo>
          <PatientId><xsl:value-of select="Patient/PatientId"/></PatientId>
          <EventTime><xsl:value-of select="g:date(OccurredAt, 'yyyy-MM-dd HH:mm:ss')"/></EventTime>
        </Visit>
      </MessageBody>
    </Request>
  </xsl:template>
</xsl:stylesheet>

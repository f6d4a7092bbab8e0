<?xml version="1.0" encoding="UTF-8"?>
<!-- It opens the record in a window of its own: Value of the answer is the address. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <PatientId><xsl:value-of select="normalize-space(PatientID)"/></PatientId>
      <VisitNo><xsl:value-of select="normalize-space(VisitID)"/></VisitNo>
      <Scope>THIS_VISIT</Scope>
      <IncludeOrders>false</IncludeOrders>
      <ReturnMode>VIEW_URL</ReturnMode>
      <Purpose>TREAT</Purpose>
    </Request>
  </xsl:template>
</xsl:stylesheet>

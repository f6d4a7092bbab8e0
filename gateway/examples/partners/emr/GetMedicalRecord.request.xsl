<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <PatientID><xsl:value-of select="PatientId"/></PatientID>
      <VisitNO><xsl:value-of select="VisitNo"/></VisitNO>
      <QueryScope><xsl:choose><xsl:when test="Scope = 'ALL_VISITS'">ALL</xsl:when><xsl:otherwise>THIS</xsl:otherwise></xsl:choose></QueryScope>
      <ViewMode><xsl:choose><xsl:when test="ReturnMode = 'VIEW_URL'">1</xsl:when><xsl:otherwise>0</xsl:otherwise></xsl:choose></ViewMode>
      <DocTypes><xsl:for-each select="Sections/Section"><DocType><xsl:value-of select="Code"/></DocType></xsl:for-each></DocTypes>
      <StartDate><xsl:value-of select="DateFrom"/></StartDate>
      <EndDate><xsl:value-of select="DateTo"/></EndDate>
      <OperatorID><xsl:value-of select="Header/OperatorCode"/></OperatorID>
    </Request>
  </xsl:template>
</xsl:stylesheet>

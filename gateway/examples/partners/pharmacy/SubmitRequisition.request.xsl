<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <root>
      <DJH><xsl:value-of select="RequisitionNo"/></DJH>
      <BRID><xsl:value-of select="Patient/PatientId"/></BRID>
      <XM><xsl:value-of select="Patient/PatientName"/></XM>
      <JZH><xsl:value-of select="Visit/VisitNo"/></JZH>
      <KDSJ><xsl:value-of select="g:date(OrderedAt, 'yyyyMMddHHmmss')"/></KDSJ>
      <YPLB>
        <xsl:for-each select="Items/Item">
          <YP><YPDM><xsl:value-of select="ItemCode"/></YPDM><YPMC><xsl:value-of select="ItemName"/></YPMC><SL><xsl:value-of select="Quantity"/></SL></YP>
        </xsl:for-each>
      </YPLB>
    </root>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns="http://tempuri.org/" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <ModifyStauts>
      <AplyNo><xsl:value-of select="RequisitionNo"/></AplyNo>
      <Stauts>9</Stauts>
      <Reason><xsl:value-of select="CancelReason"/></Reason>
    </ModifyStauts>
  </xsl:template>
</xsl:stylesheet>

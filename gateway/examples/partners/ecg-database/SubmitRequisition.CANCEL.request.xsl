<?xml version="1.0" encoding="UTF-8"?>
<!-- There must be a row that still waits: else it has begun, and nothing is cancelled. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Rows>
      <update table="ECG_APPLY" rows="1">
        <where><APPLY_NO><xsl:value-of select="RequisitionNo"/></APPLY_NO><STATE>0</STATE></where>
        <STATE>9</STATE>
      </update>
    </Rows>
  </xsl:template>
</xsl:stylesheet>

<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/Json">
    <Request>
      <Header><MessageId><xsl:value-of select="normalize-space(msgId)"/></MessageId></Header>
      <RequisitionNo><xsl:value-of select="normalize-space(orderNo)"/></RequisitionNo>
    </Request>
  </xsl:template>
</xsl:stylesheet>

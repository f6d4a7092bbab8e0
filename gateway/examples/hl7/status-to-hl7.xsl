<?xml version="1.0" encoding="UTF-8"?>
<!-- ReportStatus to ORM^O01 with ORC-1 SC: how far an order has come. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:import href="to-hl7.xsl"/>

  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'ORM^O01'"/></xsl:call-template>
      <ORC>
        <ORC.1><xsl:choose><xsl:when test="Event = 'REJECT'">UA</xsl:when><xsl:otherwise>SC</xsl:otherwise></xsl:choose></ORC.1>
        <ORC.3><xsl:value-of select="StudyNo"/></ORC.3>
        <ORC.4><xsl:value-of select="RequisitionNo"/></ORC.4>
        <ORC.5><xsl:choose>
          <xsl:when test="Event = 'BOOK'">SC</xsl:when>
          <xsl:when test="Event = 'UNBOOK'">HD</xsl:when>
          <xsl:when test="Event = 'REGISTER'">IP</xsl:when>
          <xsl:when test="Event = 'CANCEL_REG'">CA</xsl:when>
          <xsl:when test="Event = 'STOP'">DC</xsl:when>
          <xsl:when test="Event = 'PRELIM'">A</xsl:when>
          <xsl:when test="Event = 'WITHDRAW'">ER</xsl:when>
          <xsl:when test="Event = 'EXAM_DONE' or Event = 'FINAL'">CM</xsl:when>
        </xsl:choose></ORC.5>
        <ORC.9><xsl:value-of select="g:date(OccurredAt, 'yyyyMMddHHmmss')"/></ORC.9>
        <ORC.10><ORC.10.1><xsl:value-of select="Header/OperatorCode"/></ORC.10.1><ORC.10.2><xsl:value-of select="Header/OperatorName"/></ORC.10.2></ORC.10>
        <ORC.13><ORC.13.2><xsl:value-of select="Room"/></ORC.13.2></ORC.13>
        <ORC.16><ORC.16.2><xsl:value-of select="Reason"/></ORC.16.2></ORC.16>
        <ORC.18><xsl:value-of select="DeviceCode"/></ORC.18>
        <ORC.19><ORC.19.1><xsl:value-of select="PerformerCode"/></ORC.19.1><ORC.19.2><xsl:value-of select="PerformerName"/></ORC.19.2></ORC.19>
      </ORC>
      <xsl:choose>
        <xsl:when test="Items/Item"><xsl:for-each select="Items/Item"><xsl:call-template name="obr"><xsl:with-param name="item" select="."/><xsl:with-param name="number" select="position()"/></xsl:call-template></xsl:for-each></xsl:when>
        <xsl:otherwise><xsl:call-template name="obr"/></xsl:otherwise>
      </xsl:choose>
      <xsl:if test="Barcode != ''"><SPM><SPM.1>1</SPM.1><SPM.2><xsl:value-of select="Barcode"/></SPM.2></SPM></xsl:if>
    </HL7>
  </xsl:template>

  <xsl:template name="obr">
    <xsl:param name="item" select="/.."/>
    <xsl:param name="number" select="1"/>
    <OBR>
      <OBR.1><xsl:value-of select="$number"/></OBR.1>
      <OBR.2><xsl:value-of select="$item/OrderNo"/></OBR.2>
      <OBR.3><xsl:value-of select="/Request/StudyNo"/></OBR.3>
      <OBR.18><xsl:value-of select="/Request/AccessionNo"/></OBR.18>
      <OBR.19><xsl:value-of select="$item/ItemSeq"/></OBR.19>
      <OBR.22><xsl:value-of select="g:date(/Request/OccurredAt, 'yyyyMMddHHmmss')"/></OBR.22>
      <OBR.25><xsl:choose>
        <xsl:when test="/Request/Event = 'PRELIM'">P</xsl:when>
        <xsl:when test="/Request/Event = 'FINAL'">F</xsl:when>
        <xsl:when test="/Request/Event = 'WITHDRAW'">X</xsl:when>
        <xsl:when test="/Request/Event = 'BOOK'">S</xsl:when>
        <xsl:otherwise>O</xsl:otherwise>
      </xsl:choose></OBR.25>
      <OBR.36><xsl:value-of select="g:date(/Request/ScheduledAt, 'yyyyMMddHHmmss')"/></OBR.36>
    </OBR>
  </xsl:template>
</xsl:stylesheet>
